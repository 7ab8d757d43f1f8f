import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import { afterEnd, FRESH } from "../src/stack/Restarts.ts"

const LIVED_WELL = 10_000

it("a process that had lived well is back at once, whatever was before", () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(1e9), (quick, more) => {
      const { pauseMillis, state } = afterEnd({ quick }, LIVED_WELL + more)
      assert.isAtMost(pauseMillis, 100)
      assert.deepStrictEqual(state, FRESH)
    })
  )
})

it("one that keeps ending waits longer each time, and never longer than five seconds", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(LIVED_WELL - 1), { minLength: 2, maxLength: 60 }), (lives) => {
      let state = FRESH
      let before = 0
      for (const lived of lives) {
        const next = afterEnd(state, lived)
        assert.isTrue(next.pauseMillis > before || next.pauseMillis === 5000)
        assert.isAtMost(next.pauseMillis, 5000)
        before = next.pauseMillis
        state = next.state
      }
    })
  )
})

it("a single kill is mended within a fraction of a second", () => {
  assert.isAtMost(afterEnd(FRESH, 3000).pauseMillis, 200)
})
