import { Context, Effect, Layer, Schema } from "effect"

/** A signal came: the command stops here. Exit code 128 + its number, as shells count. */
export class Interrupted extends Schema.TaggedError<Interrupted>()("Interrupted", {
  signal: Schema.Literals(["SIGINT", "SIGTERM", "SIGHUP"])
}) {
  get exitCode(): number {
    return 128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[this.signal]
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const
const ORPHAN_CHECK_MILLIS = 250

/**
 * The first signal that asks this process to stop. Later ones change nothing: stopping has its own time limits, and one
 * Ctrl-C arrives several times (from the terminal, from npm). The death of the launcher that started us counts as one,
 * since nobody is left to pass signals on.
 */
export class Signals extends Context.Service<
  Signals,
  {
    /** Never succeeds. */
    readonly received: Effect.Effect<never, Interrupted>
  }
>()("@reelay/cli/Signals") {
  static readonly layer = Layer.effect(
    Signals,
    Effect.gen(function* () {
      let first: Interrupted | null = null
      const waiting = new Set<(error: Interrupted) => void>()
      const say = (signal: (typeof SIGNALS)[number]) => {
        first ??= new Interrupted({ signal })
        for (const tell of waiting) tell(first)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const signal of SIGNALS) process.on(signal, say)
          const launcher = process.ppid
          if (process.env["REELAY_LAUNCHER"] !== String(launcher)) return undefined
          return setInterval(() => {
            if (process.ppid !== launcher) say("SIGHUP")
          }, ORPHAN_CHECK_MILLIS).unref()
        }),
        (watch) =>
          Effect.sync(() => {
            clearInterval(watch)
            for (const signal of SIGNALS) process.off(signal, say)
          })
      )
      return Signals.of({
        received: Effect.callback<never, Interrupted>((resume) => {
          if (first !== null) return resume(Effect.fail(first))
          const tell = (error: Interrupted) => resume(Effect.fail(error))
          waiting.add(tell)
          return Effect.sync(() => waiting.delete(tell))
        })
      })
    })
  )
}

/** Runs it until a signal comes; its own clean-up is awaited. */
export const interruptible = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Signals, ({ received }) => Effect.raceFirst(effect, received))
