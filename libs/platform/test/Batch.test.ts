import { assert, describe, it } from "@effect/vitest"
import { type BatchOptions, makeBatch } from "@reelay/platform/Batch"
import { Cause, Deferred, Effect, Exit, Fiber, Latch } from "effect"

/** A batch that waits at `gate`, and the batches that it saw. */
const gated = (
  options: {
    readonly most?: number
    readonly lanes?: number
    readonly weight?: NonNullable<BatchOptions<number, number, string>["weight"]>
  } = {}
) => {
  const gate = Latch.makeUnsafe(false)
  const seen: Array<ReadonlyArray<number>> = []
  const ask = makeBatch<number, number, string>({
    most: 100,
    ...options,
    isForAll: (error) => error === "away",
    run: (items) => {
      seen.push(items)
      if (items.includes(-2)) return Effect.die("a bug")
      if (items.includes(-1)) return Effect.fail("away")
      return Effect.as(
        gate.await,
        items.map((n) => (n === 7 ? Exit.fail("seven") : Exit.succeed(2 * n)))
      )
    }
  })
  const start = (items: ReadonlyArray<number>) => together(ask, items)
  return { ask, gate, seen, start }
}
/** All at one moment; returns when they are under way, or wait for those that are. */
const together = <E>(ask: (n: number) => Effect.Effect<number, E>, items: ReadonlyArray<number>) =>
  Effect.forEach(items, (n) => Effect.forkChild(Effect.exit(ask(n)), { startImmediately: true })).pipe(
    Effect.tap(Effect.promise(() => new Promise((turn) => setImmediate(() => setImmediate(turn)))))
  )
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const exitsOf = (fibers: ReadonlyArray<Fiber.Fiber<Exit.Exit<number, string>>>) => Effect.forEach(fibers, Fiber.join)

describe("a batch", () => {
  it.effect("alone, nobody waits; what comes meanwhile is the next, and each gets its own answer", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated()
      const fibers = [...(yield* start([0])), ...(yield* start(numbers(1, 50)))]
      assert.deepStrictEqual(seen, [[0]])
      yield* gate.open
      assert.deepStrictEqual(
        yield* exitsOf(fibers),
        numbers(0, 50).map((n) => (n === 7 ? Exit.fail("seven") : Exit.succeed(2 * n)))
      )
      assert.deepStrictEqual(seen, [[0], numbers(1, 50)])
    })
  )

  it.effect("what comes at one moment goes together", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated({ lanes: 2 })
      yield* gate.open
      yield* exitsOf(yield* start(numbers(0, 50)))
      assert.deepStrictEqual(seen, [numbers(0, 50)])
    })
  )

  it.effect("weighs no more than it may; what is heavier alone goes alone", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated({ weight: { of: (n: number) => n, most: 10 } })
      const fibers = [...(yield* start([0])), ...(yield* start([3, 4, 3, 1, 30, 2]))]
      yield* gate.open
      yield* exitsOf(fibers)
      assert.deepStrictEqual(seen, [[0], [3, 4, 3], [1], [30], [2]])
    })
  )

  it.effect("has no more items than it may, and no more at once", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated({ most: 10, lanes: 2 })
      const fibers = yield* start(numbers(0, 35))
      // Two are under way; what is full already waits for its turn like the rest.
      const [first, second, third, last] = [numbers(0, 10), numbers(10, 20), numbers(20, 30), numbers(30, 35)]
      assert.deepStrictEqual(seen, [first, second])
      yield* gate.open
      yield* exitsOf(fibers)
      assert.deepStrictEqual(seen, [first, second, third, last])
    })
  )

  it.effect("one that spoils it is nobody else's trouble, and is told what is wrong", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let runs = 0
      const ask = makeBatch<number, number, string>({
        most: 100,
        isForAll: () => false,
        run: (items) =>
          Effect.andThen(
            Deferred.await(gate),
            Effect.suspend(() => {
              runs++
              return items.includes(3) ? Effect.fail("three") : Effect.succeed(items.map((n) => Exit.succeed(n)))
            })
          )
      })
      const fibers = [...(yield* together(ask, [0])), ...(yield* together(ask, numbers(1, 6)))]
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(
        yield* exitsOf(fibers),
        numbers(0, 6).map((n) => (n === 3 ? Exit.fail("three") : Exit.succeed(n)))
      )
      // The first alone, the rest together, and then each of them.
      assert.strictEqual(runs, 1 + 1 + 5)
    })
  )

  it.effect("what befalls everyone is everyone's answer, without another try", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated()
      const fibers = [...(yield* start([0])), ...(yield* start([1, -1, 2]))]
      yield* gate.open
      const away = Exit.fail("away")
      assert.deepStrictEqual(yield* exitsOf(fibers), [Exit.succeed(0), away, away, away])
      assert.strictEqual(seen.length, 2)
      assert.deepStrictEqual(yield* exitsOf(yield* start([4])), [Exit.succeed(8)])
    })
  )

  it.effect("a bug leaves nobody waiting, nor the next batch", () =>
    Effect.gen(function* () {
      const { gate, start } = gated()
      const fibers = [...(yield* start([0])), ...(yield* start([1, -2]))]
      yield* gate.open
      const [fine, ...dead] = yield* exitsOf(fibers)
      assert.deepStrictEqual(fine, Exit.succeed(0))
      for (const exit of dead) assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.deepStrictEqual(yield* exitsOf(yield* start([4])), [Exit.succeed(8)])
    })
  )

  it.effect("who goes away does not take the others along", () =>
    Effect.gen(function* () {
      const { gate, seen, start } = gated()
      const [first, second, third] = [...(yield* start([0])), ...(yield* start([1, 2]))]
      if (first === undefined || second === undefined || third === undefined) return assert.fail("not started")
      yield* Fiber.interrupt(first)
      yield* Fiber.interrupt(second)
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.join(third), Exit.succeed(4))
      assert.deepStrictEqual(seen, [[0], [2]])
    })
  )
})
