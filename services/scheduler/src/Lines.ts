import type { ExportId } from "@reelay/contracts/Ids"
import { Effect, FiberSet } from "effect"

/**
 * A line for each export: what is added is done in order, one after the other; lines do not wait for each other. An
 * export that nothing is done for has no line. All of it ends with the scope.
 */
export const makeLines = Effect.gen(function* () {
  const fibers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(fibers)()
  const lines = new Map<ExportId, Array<Effect.Effect<void>>>()

  const serve = Effect.fnUntraced(function* (id: ExportId, line: Array<Effect.Effect<void>>) {
    for (let next = line.shift(); next !== undefined; next = line.shift()) yield* next
    lines.delete(id)
  })

  return {
    add: (id: ExportId, work: Effect.Effect<void>): void => {
      const line = lines.get(id)
      if (line !== undefined) {
        line.push(work)
        return
      }
      const fresh = [work]
      lines.set(id, fresh)
      run(serve(id, fresh))
    },
    /** What need not wait for anything. */
    beside: (work: Effect.Effect<void>): void => void run(work),
    /**
     * Ends, with its cause, when anything of all this has died. What is added has no errors, so that is a mistake of
     * ours; to go on without it would be a line that nobody serves, for ever and in silence.
     */
    broken: FiberSet.join(fibers)
  }
})
export type Lines = Effect.Success<typeof makeLines>
