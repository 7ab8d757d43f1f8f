import { Context, Deferred, Duration, Effect, Layer } from "effect"
import { Claim } from "./Claim.ts"
import { EncoderConfig } from "./EncoderConfig.ts"

/**
 * How an encoder ends. The first SIGTERM (or SIGINT): it takes nothing new, and what runs may finish within the grace
 * period; what does not is handed back. The second: everything is handed back now.
 */
export class Drain extends Context.Service<
  Drain,
  {
    /** Returns when a signal has come and all work is finished or handed back. */
    readonly untilDone: Effect.Effect<void>
  }
>()("@reelay/encoder/Drain") {
  static readonly layer = Layer.effect(
    Drain,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const claim = yield* Claim
      const first = Deferred.makeUnsafe<void>()
      const second = Deferred.makeUnsafe<void>()
      const onSignal = () => {
        if (!Deferred.doneUnsafe(first, Effect.void)) Deferred.doneUnsafe(second, Effect.void)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal)
        }),
        () =>
          Effect.sync(() => {
            for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, onSignal)
          })
      )

      const untilDone = Effect.gen(function* () {
        yield* Deferred.await(first)
        yield* claim.retire
        const { tasks } = yield* claim.load
        yield* Effect.logInfo("Draining", { tasks: tasks.length, graceSeconds: settings.graceSeconds })
        const finished = yield* Effect.raceAllFirst([
          claim.idle.pipe(Effect.as(true)),
          Deferred.await(second).pipe(Effect.as(false)),
          Effect.sleep(Duration.seconds(settings.graceSeconds)).pipe(Effect.as(false))
        ])
        if (!finished) {
          yield* claim.handBack
          yield* Effect.logInfo("What still ran was handed back")
        }
      })
      return Drain.of({ untilDone })
    })
  )
}
