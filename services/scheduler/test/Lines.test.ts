import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { makeLines } from "../src/Lines.ts"

describe("a batch of many lines", () => {
  it.effect("each is told what became of it; what is refused is no mistake", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      const batch = lines.batch({
        most: 10,
        run: (items: ReadonlyArray<number>) =>
          items.includes(0) ? Effect.fail("zero") : Effect.succeed(items.map((n) => Exit.succeed(2 * n))),
        isForAll: () => false
      })
      const ask = (n: number) =>
        Effect.callback<Exit.Exit<number, string>>((resume) => batch(n, (outcome) => resume(Effect.succeed(outcome))))
      assert.deepStrictEqual(yield* Effect.forEach([1, 0, 2], ask, { concurrency: "unbounded" }), [
        Exit.succeed(2),
        Exit.fail("zero"),
        Exit.succeed(4)
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("a mistake answers nobody: it ends all lines, as one in a line does", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      const batch = lines.batch<number, number, never>({
        most: 10,
        run: () => Effect.die("a mistake"),
        isForAll: () => true
      })
      let answers = 0
      batch(1, () => answers++)
      const ended = yield* Effect.exit(lines.broken)
      assert.isTrue(Exit.isFailure(ended) && Cause.hasDies(ended.cause))
      assert.strictEqual(answers, 0)
    }).pipe(Effect.scoped)
  )
})
