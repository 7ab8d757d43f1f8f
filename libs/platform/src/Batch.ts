import { Effect, Request, RequestResolver, Semaphore } from "effect"
import type { Exit } from "effect"

/**
 * Many waiting for one: what comes while batches are under way makes the next. Alone, nobody waits for company; under load
 * a hundred askers share a statement and its commit.
 */
export const makeBatch = <A, B, E>(options: {
  /** Items in one batch. */
  readonly most: number
  /** Batches under way at once. One by one, unless said otherwise. */
  readonly lanes?: number
  /** Answers for all items, in their order. */
  readonly run: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<B, E>>, E>
  /**
   * Whether what `run` failed with is everyone's answer (a server that is away). Else each item is run alone: one that
   * spoils its batch is nobody else's trouble.
   */
  readonly isForAll: (error: E) => boolean
}): ((item: A) => Effect.Effect<B, E>) => {
  const run = (items: ReadonlyArray<A>) => Effect.suspend(() => options.run(items))
  const alone = (item: A) => Effect.flatMap(run([item]), ([answer]) => answer ?? Effect.die("no answer"))
  const answered = (items: ReadonlyArray<A>) =>
    run(items).pipe(
      Effect.catch((error) =>
        items.length === 1 || options.isForAll(error)
          ? Effect.fail(error)
          : Effect.forEach(items, (item) => Effect.exit(alone(item)))
      )
    )

  interface Asked extends Request.Request<B, E> {
    readonly item: A
  }
  const ask = Request.of<Asked>()
  const turn = Semaphore.makeUnsafe(options.lanes ?? 1)
  // An entry that `run` leaves without an answer dies, and what `run` dies of is everyone's: nobody waits for ever.
  const resolver = RequestResolver.make<Asked>((entries) =>
    turn.withPermit(
      Effect.map(answered(entries.map(({ request }) => request.item)), (answers) => {
        for (const [position, answer] of answers.entries()) entries[position]?.completeUnsafe(answer)
      })
    )
  ).pipe(
    // Gathers until it is its turn.
    RequestResolver.setDelayEffect(turn.withPermit(Effect.void)),
    RequestResolver.batchN(options.most)
  )
  return (item) => Effect.request(ask({ item }), resolver)
}
