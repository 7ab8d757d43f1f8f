import { assert, describe, it } from "@effect/vitest"
import { newId, VideoId } from "@reelay/contracts/Ids"
import { Effect } from "effect"
import { decodeCursor, encodeCursor, pageOf } from "../src/Cursor.ts"
import { allowanceOf } from "../src/RateLimit.ts"

describe("cursors", () => {
  const id = newId(VideoId)
  it.effect("say where a page ended, for one order only", () =>
    Effect.gen(function* () {
      const text = encodeCursor("bytes", { key: 12, id })
      assert.deepStrictEqual(yield* decodeCursor("bytes", text), { key: 12, id })
      assert.isNull(yield* decodeCursor("bytes", undefined))
      for (const wrong of [
        encodeCursor("-bytes", { key: 12, id }),
        "%%%",
        "eyJhIjoxfQ",
        encodeCursor("bytes", { key: 1, id: "x' or 1=1" })
      ]) {
        assert.strictEqual((yield* Effect.flip(decodeCursor("bytes", wrong)))._tag, "Validation")
      }
    })
  )
  it("cut what was asked for in excess", () => {
    const rows = [1, 2, 3].map((n) => ({ n, id }))
    const cut = pageOf(rows, 2, "s", (row) => ({ key: row.n, id: row.id }))
    assert.deepStrictEqual(
      cut.items.map((row) => row.n),
      [1, 2]
    )
    assert.strictEqual(cut.nextCursor, encodeCursor("s", { key: 2, id }))
    assert.isNull(pageOf(rows, 3, "s", (row) => ({ key: row.n, id: row.id })).nextCursor)
  })
})

describe("allowance", () => {
  it("counts what is within the hour and says when the next is free", () => {
    assert.deepStrictEqual(allowanceOf(3, { count: 0, oldest: null }), { limit: 3, remaining: 3, resetSeconds: 0 })
    assert.deepStrictEqual(allowanceOf(3, { count: 2, oldest: 3000 }), { limit: 3, remaining: 1, resetSeconds: 600 })
    assert.deepStrictEqual(allowanceOf(3, { count: 3, oldest: 3599.5 }), { limit: 3, remaining: 0, resetSeconds: 1 })
  })
})
