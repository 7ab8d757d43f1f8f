import type { ExportId } from "@reelay/contracts/Ids"
import { makeCallbackBatch } from "@reelay/platform/Batch"
import type { BatchOptions } from "@reelay/platform/Batch"
import { Effect, Exit, FiberSet } from "effect"

/** Something to do, which says when it is done: once, perhaps at once. */
export type Work = (done: () => void) => void

/**
 * A line for each export: what is added is done in order, one after the other; lines do not wait for each other. An
 * export that nothing is done for has no line. A line is no fiber: most of what waits in it is one item of a batch.
 * All of it ends with the scope.
 */
export const makeLines = Effect.gen(function* () {
  const fibers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(fibers)()
  const lines = new Map<ExportId, Array<Work>>()

  const serve = (id: ExportId, line: Array<Work>): void => {
    const [work] = line
    if (work === undefined) return void lines.delete(id)
    work(() => {
      line.shift()
      serve(id, line)
    })
  }

  const beside = (effect: Effect.Effect<void>): void => void run(effect)

  return {
    add: (id: ExportId, work: Work): void => {
      const line = lines.get(id)
      if (line !== undefined) {
        line.push(work)
        return
      }
      const fresh = [work]
      lines.set(id, fresh)
      serve(id, fresh)
    },
    /** For a line. */
    work:
      (effect: Effect.Effect<void>): Work =>
      (done) =>
        void run(Effect.andThen(effect, Effect.sync(done))),
    /** What need not wait for anything. */
    beside,
    /** Many waiting for one, of whatever lines. What dies of a mistake is not answered: it ends everything. */
    batch: <A, B, E>(options: BatchOptions<A, B, E>) => {
      const enter = makeCallbackBatch(beside, options)
      return (item: A, answer: (outcome: Exit.Exit<B, E>) => void): void =>
        enter(item, (outcome) => {
          if (Exit.hasDies(outcome)) beside(Effect.orDie(Exit.asVoid(outcome)))
          else answer(outcome)
        })
    },
    /**
     * Ends, with its cause, when anything of all this has died. What is added has no errors, so that is a mistake of
     * ours; to go on without it would be a line that nobody serves, for ever and in silence.
     */
    broken: FiberSet.join(fibers)
  }
})
export type Lines = Effect.Success<typeof makeLines>
