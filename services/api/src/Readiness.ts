import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { Context, Effect, Layer } from "effect"
import { Migration } from "./Migration.ts"

/** Whether an export can be accepted and run right now, and what is missing for it. */
export class Readiness extends Context.Service<
  Readiness,
  {
    /** Of `database`, `queue`, `scheduler`, `encoder`; empty when ready. Answers within two seconds. */
    readonly missing: Effect.Effect<ReadonlyArray<string>>
  }
>()("@reelay/api/Readiness") {
  static readonly layer = Layer.effect(
    Readiness,
    Effect.gen(function* () {
      const database = yield* Database
      const bus = yield* Bus
      const live = yield* LiveFarm
      const migration = yield* Migration
      const within = <E>(check: Effect.Effect<boolean, E>) =>
        check.pipe(
          Effect.timeout("2 seconds"),
          Effect.orElseSucceed(() => false)
        )
      const checks = {
        database: within(Effect.andThen(database.ping, migration.done)),
        queue: within(bus.connected),
        scheduler: within(live.schedulerSeen),
        encoder: within(
          Effect.map(live.nodes, (nodes) => nodes.some((node) => node.status === "active" && node.slots.total > 0))
        )
      }
      return Readiness.of({
        missing: Effect.map(Effect.all(checks, { concurrency: "unbounded" }), (there) =>
          Object.entries(there).flatMap(([name, ok]) => (ok ? [] : [name]))
        )
      })
    })
  )
}
