import { Effect, Exit } from "effect"

/** Many waiting for one: what comes at the same moment, and while batches are under way, makes the next. */
export interface BatchOptions<A, B, E> {
  /** Items in one batch. */
  readonly most: number
  /** What an item weighs, and what one batch may come to: one that is heavier alone goes alone. */
  readonly weight?: { readonly of: (item: A) => number; readonly most: number }
  /** Batches under way at once. One by one, unless said otherwise. */
  readonly lanes?: number
  /** Answers for all items, in their order. What it dies of is everyone's answer. */
  readonly run: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<B, E>>, E>
  /**
   * Whether what `run` failed with is everyone's answer (a server that is away). Else each item is run alone: one that
   * spoils its batch is nobody else's trouble.
   */
  readonly isForAll: (error: E) => boolean
}

interface Waiting<A, B, E> {
  readonly item: A
  readonly answer: (answer: Exit.Exit<B, E>) => void
}

const makeQueue = <A, B, E>({ isForAll, lanes = 1, most, run, weight }: BatchOptions<A, B, E>) => {
  const waiting = new Set<Waiting<A, B, E>>()
  let free = lanes
  let gathering = false

  const attempt = (items: ReadonlyArray<A>) => Effect.suspend(() => run(items))
  const alone = (item: A) => Effect.map(Effect.exit(attempt([item])), (only) => answerAt(only, 0))
  const answersTo = (items: ReadonlyArray<A>) =>
    attempt(items).pipe(
      Effect.catch((error) =>
        items.length === 1 || isForAll(error) ? Effect.fail(error) : Effect.forEach(items, alone)
      )
    )
  const take = (): ReadonlyArray<Waiting<A, B, E>> => {
    const taken: Array<Waiting<A, B, E>> = []
    let weighs = 0
    for (const one of waiting) {
      if (taken.length === most) break
      weighs += weight?.of(one.item) ?? 0
      if (weight !== undefined && weighs > weight.most && taken.length > 0) break
      taken.push(one)
      waiting.delete(one)
    }
    return taken
  }
  /** A lane, until nobody waits. `beside`: has the next one served, where there are more than one batch holds. */
  const serve = (beside: () => void): Effect.Effect<void> =>
    Effect.gen(function* () {
      // One turn of the event loop: what the same read of a socket brought goes together.
      yield* Effect.yieldNow
      gathering = false
      for (;;) {
        const batch = take()
        if (batch.length === 0) {
          // In the same breath: who comes now begins a lane.
          free++
          return
        }
        if (waiting.size > 0) beside()
        const outcome = yield* Effect.exit(answersTo(batch.map(({ item }) => item)))
        for (const [position, { answer }] of batch.entries()) answer(answerAt(outcome, position))
      }
    })

  const begin = (fork: (lane: Effect.Effect<void>) => void): void => {
    if (gathering || free === 0) return
    gathering = true
    free--
    fork(serve(() => begin(fork)))
  }
  return {
    enter: (one: Waiting<A, B, E>, fork: (lane: Effect.Effect<void>) => void): void => {
      waiting.add(one)
      begin(fork)
    },
    leave: (one: Waiting<A, B, E>): void => void waiting.delete(one)
  }
}

const answerAt = <B, E>(answers: Exit.Exit<ReadonlyArray<Exit.Exit<B, E>>, E>, position: number): Exit.Exit<B, E> =>
  Exit.isFailure(answers)
    ? Exit.failCause(answers.cause)
    : (answers.value[position] ?? Exit.die(new Error("a batch left an item unanswered")))

/**
 * Under load a hundred askers share a statement and its commit; alone, nobody waits for company. Who goes away before a
 * batch has begun is left out of it.
 */
export const makeBatch = <A, B, E>(options: BatchOptions<A, B, E>): ((item: A) => Effect.Effect<B, E>) => {
  const queue = makeQueue(options)
  return (item) =>
    Effect.contextWith((context) => {
      // No asker's own: it serves the others when this one has gone away.
      const fork = Effect.runForkWith(context)
      return Effect.callback<B, E>((resume) => {
        const one = { item, answer: resume }
        queue.enter(one, fork)
        return Effect.sync(() => queue.leave(one))
      })
    })
}

/** The same for what is no fiber: `answer` is called once. Lanes are forked, and end, where `fork` has them. */
export const makeCallbackBatch = <A, B, E>(
  fork: (lane: Effect.Effect<void>) => void,
  options: BatchOptions<A, B, E>
): ((item: A, answer: (answer: Exit.Exit<B, E>) => void) => void) => {
  const queue = makeQueue(options)
  return (item, answer) => queue.enter({ item, answer }, fork)
}
