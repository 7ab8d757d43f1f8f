import { Effect, Fiber } from "effect"
import type { Failure } from "../Failure.ts"
import type { Instance } from "./Instance.ts"
import type { ProcessRole } from "./ProcessList.ts"
import { afterEnd, FRESH } from "./Restarts.ts"

/** One role of the stack, kept alive: started again whenever it ends, until `stop`. */
export interface Keeper {
  /** No further restarts; returns when the process is gone. */
  readonly stop: Effect.Effect<void>
}

export interface KeepOptions {
  readonly role: ProcessRole
  /** Starts one; told of the one before, whose port it takes over. */
  readonly start: (previous: Instance | null) => Effect.Effect<Instance, Failure>
  /** Called with each one that was started, before anything else happens to it. */
  readonly onStart: (instance: Instance) => Effect.Effect<void>
  /** Something a person at the terminal should know. */
  readonly tell: (line: string) => Effect.Effect<void>
}

/** A pause shorter than this goes without saying when it ends. */
const TOLD_PAUSE_MILLIS = 1000

const restartLine = (role: ProcessRole, why: string, times: number, pauseMillis: number): string =>
  pauseMillis < TOLD_PAUSE_MILLIS
    ? `${role} ended (${why}); starting it again`
    : `${role} ended ${times} times in a row (${why}); starting it again in ${(pauseMillis / 1000).toFixed(1)} s, `
      + `see logs/${role}.log`

/**
 * Starts it and goes on in the background. A first start that fails is the caller's; later ones are tried again, with
 * growing pauses.
 */
export const keep = Effect.fn("Keeper.keep")(function* ({ onStart, role, start, tell }: KeepOptions) {
  // Between a process' birth and our note of it nothing may interrupt, or nobody would ever stop it.
  const begin = (previous: Instance | null) => Effect.uninterruptible(Effect.tap(start(previous), onStart))

  let instance = yield* begin(null)
  const loop = Effect.gen(function* () {
    let restarts = FRESH
    for (;;) {
      const born = performance.now()
      let why = yield* instance.exited
      for (let livedMillis = performance.now() - born; ; livedMillis = 0) {
        const { pauseMillis, state } = afterEnd(restarts, livedMillis)
        restarts = state
        yield* tell(restartLine(role, why, state.quick, pauseMillis))
        yield* Effect.sleep(pauseMillis)
        const begun = yield* Effect.uninterruptible(
          begin(instance).pipe(
            Effect.tap((next) =>
              Effect.sync(() => {
                instance = next
              })
            ),
            Effect.result
          )
        )
        if (begun._tag === "Success") break
        why = begun.failure.message
      }
    }
  })
  const fiber = yield* Effect.forkDetach(loop)
  return { stop: Fiber.interrupt(fiber).pipe(Effect.andThen(Effect.suspend(() => instance.stop))) } satisfies Keeper
})
