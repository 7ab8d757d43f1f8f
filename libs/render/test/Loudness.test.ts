import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { normalising, triesOf, trying } from "../src/Loudness.ts"

/** As ffmpeg 5.1 says it: of the meter that was set up and taken away again, too. */
const summary = (name: string, loudness: string, peak: string | null = null) => `[${name} @ 0x55cdd9360480] Summary:

  Integrated loudness:
    I:         ${loudness} LUFS
    Threshold: -37.9 LUFS

  Loudness range:
    LRA:        11.7 LU
    Threshold: -48.7 LUFS
    LRA low:   -35.9 LUFS
    LRA high:  -24.2 LUFS
${peak === null ? "" : `\n  True peak:\n    Peak:      ${peak} dBFS\n`}`

const measured = (loudness: string, peak: string) =>
  summary("Parsed_ebur128_1", "  0.0", " -inf") + summary("Parsed_ebur128_1", loudness, peak)
const tried = (...outcomes: ReadonlyArray<readonly [name: string, loudness: number]>) =>
  outcomes
    .map(([name]) => summary(`ebur128@${name}`, "  0.0"))
    .concat(outcomes.map(([name, loudness]) => summary(`ebur128@${name}`, loudness.toFixed(1))))
    .join("")
const gainOf = (filters: ReadonlyArray<string>) => Number(/^volume=(.*)dB$/.exec(filters[0] ?? "")?.[1])

describe("what is tried", () => {
  it("is one gain where no peak is in its way, and nothing for silence", () => {
    assert.deepStrictEqual(triesOf(-14, measured("-10.0", "-0.5")), [{ gain: -4, held: false }])
    assert.deepStrictEqual(triesOf(-14, measured("-20.0", "-8.0")), [{ gain: 6, held: false }])
    assert.deepStrictEqual(triesOf(-14, measured("-70.0", "-inf")), [])
    assert.deepStrictEqual(triesOf(-14, "nothing that is known"), [])
  })

  it("is more and more where peaks have to be held", () => {
    const tries = triesOf(-16, measured("-26.0", "-6.9"))
    assert.isTrue(tries.every(({ held }) => held))
    assert.deepStrictEqual(
      tries.map(({ gain }) => gain),
      [10, 11.5, 13, 14.5, 16]
    )
    assert.strictEqual(
      trying(tries)[1],
      "volume=11.50dB,alimiter=limit=0.8414:level=0:latency=1,ebur128@held_1150=framelog=verbose"
    )
  })
})

describe("what is taken", () => {
  it("lies between two tries where what was asked for does", () => {
    const filters = normalising(-14, tried(["held_1150", -13.4], ["held_1000", -15.4], ["held_1300", -12]))
    assert.closeTo(gainOf(filters), 10 + (1.5 * 1.4) / 2, 0.01)
    assert.isTrue(filters.some((filter) => filter.startsWith("alimiter=")))
  })

  it("is the least that comes near enough, else the nearest: more gain may make less of it", () => {
    assert.strictEqual(gainOf(normalising(-14, tried(["held_1000", -14.2], ["held_1150", -14]))), 10)
    const speech = tried(["held_1200", -15.7], ["held_1350", -15.2], ["held_1500", -15.9], ["held_1800", -14.4])
    assert.strictEqual(gainOf(normalising(-14, speech)), 18)
  })

  it("holds nothing that need not be, and leaves silence alone", () => {
    assert.deepStrictEqual(normalising(-14, tried(["free_-400", -14])), ["volume=-4.00dB"])
    assert.deepStrictEqual(normalising(-14, ""), [])
  })

  it("is never further off than any of the tries, as they came out", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -300, max: -60 }), { minLength: 1, maxLength: 5 }), (tenths) => {
        const outcomes = tenths.map((loudness, i) => [`held_${1000 + 150 * i}`, loudness / 10] as const)
        const gain = gainOf(normalising(-14, tried(...outcomes)))
        const at = Math.min(outcomes.length - 1, Math.floor((gain - 10) / 1.5 + 1e-9))
        const [low, high] = [outcomes[at]?.[1] ?? 0, outcomes[at + 1]?.[1] ?? outcomes[at]?.[1] ?? 0]
        const part = (gain - 10) / 1.5 - at
        const off = Math.abs(low + part * (high - low) - -14)
        const best = Math.min(...outcomes.map(([, loudness]) => Math.abs(loudness - -14)))
        assert.isAtMost(off, Math.max(best, 0.3) + 0.1)
      }),
      { seed: 14 }
    ))
})
