import { Effect, Queue } from "effect"
import type { Lines } from "./Lines.ts"

/** Takes an item into the next batch; `answer` is called once, with what became of it. */
export type Batch<A, B> = (item: A, answer: (outcome: B) => void) => void

/**
 * Many waiting for one: what comes while a batch is under way makes the next. `run` answers for all of them, in order.
 * Under load a hundred transitions are one commit; alone, one is not held up.
 */
export const makeBatch = Effect.fnUntraced(function* <A, B>(
  lines: Lines,
  run: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>>,
  most: number
): Effect.fn.Return<Batch<A, B>> {
  const queue = yield* Queue.unbounded<{ readonly item: A; readonly answer: (outcome: B) => void }>()
  const serve = Effect.gen(function* () {
    const batch = yield* Queue.takeBetween(queue, 1, most)
    const outcomes = yield* run(batch.map(({ item }) => item))
    for (const [position, outcome] of outcomes.entries()) batch[position]?.answer(outcome)
  })
  lines.beside(Effect.forever(serve))
  return (item, answer) => void Queue.offerUnsafe(queue, { item, answer })
})
