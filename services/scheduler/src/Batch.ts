import { Deferred, Effect, Queue } from "effect"
import type { Exit } from "effect"
import type { Lines } from "./Lines.ts"

/**
 * Many waiting for one: what comes while a batch is under way makes the next. `run` answers for all of them, in order.
 * Under load a hundred transitions are one commit; alone, one is not held up.
 */
export const makeBatch = Effect.fnUntraced(function* <A, B, E>(
  lines: Lines,
  run: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<B, E>>>,
  most: number
): Effect.fn.Return<(item: A) => Effect.Effect<B, E>> {
  const queue = yield* Queue.unbounded<{ readonly item: A; readonly answer: Deferred.Deferred<B, E> }>()
  const serve = Effect.gen(function* () {
    const batch = yield* Queue.takeBetween(queue, 1, most)
    const answers = yield* run(batch.map(({ item }) => item))
    for (const [position, { answer }] of batch.entries()) {
      const exit = answers[position]
      if (exit !== undefined) yield* Deferred.done(answer, exit)
    }
  })
  lines.beside(Effect.forever(serve))
  return (item) =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<B, E>()
      yield* Queue.offer(queue, { item, answer })
      return yield* Deferred.await(answer)
    })
})
