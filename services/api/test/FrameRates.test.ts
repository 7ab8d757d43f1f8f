import { assert, describe, it } from "@effect/vitest"
import { ratio, toNumber } from "@reelay/contracts/Quantity"
import fc from "fast-check"
import { averageRate, isVariable, nearestFraction } from "../src/ingest/FrameRates.ts"

describe("frame rates", () => {
  const usual = [
    ratio(24_000, 1001),
    ratio(24),
    ratio(25),
    ratio(30_000, 1001),
    ratio(30),
    ratio(50),
    ratio(60_000, 1001),
    ratio(60)
  ]
  const timeBases = [ratio(1, 90_000), ratio(1, 15_360), ratio(1, 1000), ratio(1001, 30_000)]

  /** Ticks of the frames of a constant rate, as a muxer rounds them. */
  const ticksOf = (
    rate: { num: number; den: number },
    base: { num: number; den: number },
    frames: number,
    first: number
  ) => Array.from({ length: frames }, (_, n) => first + Math.round((n * rate.den * base.den) / (rate.num * base.num)))

  it("a usual rate is found through any time base that can tell it, and is not variable", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...usual),
        fc.constantFrom(...timeBases.slice(0, 3)),
        fc.integer({ min: 120, max: 2000 }),
        fc.integer({ min: -5000, max: 5000 }),
        (rate, base, frames, first) => {
          const pts = ticksOf(rate, base, frames, first)
          const found = averageRate(frames, (pts.at(-1) ?? 0) - first, base, rate)
          assert.deepStrictEqual(found, rate)
          assert.isFalse(isVariable(pts, base, found))
        }
      )
    )
  })
  it("few frames on a coarse base: what the container declares is believed, if it fits", () => {
    const pts = ticksOf(ratio(30_000, 1001), ratio(1, 1000), 3, 0)
    assert.deepStrictEqual(averageRate(3, pts[2] ?? 0, ratio(1, 1000), ratio(30_000, 1001)), ratio(30_000, 1001))
    assert.deepStrictEqual(averageRate(3, pts[2] ?? 0, ratio(1, 1000), ratio(90_000, 1)), ratio(30_000, 1001))
  })
  it("a frame that is missing where ticks are frames: the rate that is meant, and variable", () => {
    const pts = Array.from({ length: 208 }, (_, n) => (n < 100 ? n : n + 1))
    const rate = averageRate(208, 208, ratio(1, 25), ratio(25))
    assert.deepStrictEqual(rate, ratio(25))
    assert.isTrue(isVariable(pts, ratio(1, 25), rate))
  })
  it("one frame has what is declared", () => {
    assert.deepStrictEqual(averageRate(1, 0, ratio(1, 1000), ratio(50)), ratio(50))
    assert.deepStrictEqual(averageRate(1, 0, ratio(1, 1000), null), ratio(25))
  })
  it("a frame that is a tenth of itself late, or missing, makes it variable", () => {
    const pts = ticksOf(ratio(30), ratio(1, 90_000), 100, 7)
    assert.isFalse(isVariable(pts, ratio(1, 90_000), ratio(30)))
    assert.isTrue(isVariable(pts.with(50, (pts[50] ?? 0) + 400), ratio(1, 90_000), ratio(30)))
    assert.isTrue(isVariable(pts.toSpliced(50, 1), ratio(1, 90_000), ratio(30)))
  })
  it("any average is a fraction of small whole numbers, close by", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 500, noNaN: true }), (value) => {
        const found = nearestFraction(value)
        assert.isAtMost(found.den, 1001)
        assert.isAbove(found.num, 0)
        assert.isBelow(Math.abs(toNumber(found) - value) / value, 0.002)
      })
    )
    assert.deepStrictEqual(nearestFraction(12.5), ratio(25, 2))
  })
})
