import { TASK_ACK_WAIT, NODE_TTL } from "@reelay/contracts/messages/Topology"
import { Config, Context, Effect, Layer, Schema } from "effect"
import type { Policy } from "./State.ts"

const positive = (name: string, otherwise: number) =>
  Config.schema(Schema.FiniteFromString.check(Schema.isGreaterThan(0)), name).pipe(Config.withDefault(otherwise))
const bytes = (name: string) =>
  Config.schema(Schema.FiniteFromString.check(Schema.isGreaterThanOrEqualTo(0)), name).pipe(Config.withDefault(null))

/** What operators set. Durations are seconds in the environment. */
export class SchedulerConfig extends Context.Service<
  SchedulerConfig,
  {
    readonly policy: Policy
    /** Seconds a task may stay with a silent encoder. */
    readonly ackWait: number
    /** Milliseconds between two looks at rows and streams. */
    readonly reconcileMillis: number
    /** What finished work may take (null: a share of the disk), what it leaves free (likewise), and how often that is looked at. */
    readonly cache: { readonly bytes: number | null; readonly free: number | null; readonly lookMillis: number }
    /** For /health and /metrics; null: none. */
    readonly port: number | null
  }
>()("@reelay/scheduler/SchedulerConfig") {
  static readonly layer = Layer.effect(
    SchedulerConfig,
    Effect.gen(function* () {
      const seconds = 1000
      return {
        policy: {
          maxActive: yield* positive("REELAY_MAX_ACTIVE", 16),
          maxActivePerUser: yield* positive("REELAY_MAX_ACTIVE_PER_USER", 4),
          lookahead: 1,
          taskAttempts: yield* positive("REELAY_TASK_ATTEMPTS", 3),
          nodeTtl: NODE_TTL * seconds,
          strandedAfter: (yield* positive("REELAY_STRANDED_SECONDS", 60)) * seconds,
          encoderWait: (yield* positive("REELAY_ENCODER_WAIT_SECONDS", 86_400)) * seconds
        },
        ackWait: yield* positive("REELAY_TASK_ACK_WAIT", TASK_ACK_WAIT),
        reconcileMillis: (yield* positive("REELAY_RECONCILE_SECONDS", 3)) * seconds,
        cache: {
          bytes: yield* bytes("REELAY_CACHE_BYTES"),
          free: yield* bytes("REELAY_CACHE_FREE_BYTES"),
          lookMillis: (yield* positive("REELAY_CACHE_SECONDS", 60)) * seconds
        },
        port: yield* Config.Port("REELAY_SCHEDULER_PORT").pipe(Config.withDefault(null))
      }
    })
  )
}
