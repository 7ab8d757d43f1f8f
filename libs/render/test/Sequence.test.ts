import { assert, describe, it } from "@effect/vitest"
import type { Transition } from "@reelay/contracts/Edits"
import { encodesPicture } from "@reelay/contracts/Plan"
import { fadesWithin, sequenceOf, tooShort, totalFrames } from "../src/Sequence.ts"
import { media, planOf, specOf, unfolded } from "./Specs.ts"

const rate = { num: 25, den: 1 }
const clip = (frames: number, type: Transition["type"] = "cut", duration = 0) => ({
  frames,
  transition: { type, duration }
})

describe("a sequence", () => {
  it("is shorter by what is dissolved, and not by what is faded", () => {
    const clips = [clip(100, "dissolve", 1), clip(50, "fade", 0.6), clip(40, "cut"), clip(30, "dissolve", 9)]
    const { frames, placed } = sequenceOf(clips, rate)
    assert.strictEqual(frames, 195)
    assert.deepStrictEqual(
      placed.map(({ body, dissolve, fadeIn, fadeOut, first }) => [
        first,
        body.from,
        body.to,
        dissolve,
        fadeIn,
        fadeOut
      ]),
      [
        [0, 0, 75, 25, 0, 0],
        // Fifteen frames: seven and eight.
        [75, 25, 50, 0, 0, 7],
        [125, 0, 40, 0, 8, 0],
        [165, 0, 30, 0, 0, 0]
      ]
    )
    assert.strictEqual(totalFrames("combined", clips, rate), 195)
    assert.strictEqual(totalFrames("clips", clips, rate), 220)
  })

  it("names the first clip that is shorter than its transitions", () => {
    const clips = [clip(25, "dissolve", 1), clip(50, "dissolve", 1), clip(30, "fade", 0.4), clip(5)]
    assert.isNull(tooShort("combined", clips, rate))
    // A clip may be nothing but its transitions: 25 of 25, then 25 and 25 of 50, 25 and 5 of 30; but not 6 of 5.
    const message = "lasts 0.2 s (5 frames), but its transitions take 0.24 s (6 frames) of it"
    assert.deepStrictEqual(tooShort("combined", [...clips.slice(0, 2), clip(31, "fade", 0.48), clip(5)], rate), {
      clip: 3,
      message
    })
    assert.deepInclude(tooShort("combined", [clip(24, "dissolve", 1), clip(1)], rate), { clip: 0 })
    assert.isNull(tooShort("clips", [clip(24, "dissolve", 1), clip(1)], rate))
  })

  it("counts a fade from the first frame of what it touches", () => {
    const [, placed] = sequenceOf([clip(50, "fade", 2), clip(100, "fade", 2), clip(50)], rate).placed
    if (placed === undefined) return assert.fail()
    assert.deepStrictEqual(fadesWithin(placed, { from: 0, to: 100 }), [
      { direction: "in", from: 0, frames: 25 },
      { direction: "out", from: 75, frames: 25 }
    ])
    assert.deepStrictEqual(fadesWithin(placed, { from: 10, to: 50 }), [{ direction: "in", from: -10, frames: 25 }])
    assert.deepStrictEqual(fadesWithin(placed, { from: 25, to: 75 }), [])
    assert.deepStrictEqual(fadesWithin(placed, { from: 80, to: 100 }), [{ direction: "out", from: -5, frames: 25 }])
  })

  it("has a piece of a dissolve for every pair of sections", () => {
    const index = {
      v: 1 as const,
      timeBase: { num: 1, den: 90_000 },
      pts: Array.from({ length: 500 }, (_, n) => n * 3600),
      keys: [0],
      keyBytes: [-1]
    }
    const sources = [{ media: media(96, 64, { frames: 500, sound: true }), index }]
    const dissolve = { type: "dissolve", duration: 2 } as const
    const spec = specOf(sources, [
      // Its last two seconds: one as recorded, then one at double speed.
      { end: 10, speed: [{ start: 8, end: 10, rate: 2 }], transition: dissolve },
      // Its first two: one and a half at half speed, half of one as recorded.
      { start: 3, end: 9, speed: [{ start: 3, end: 3.75, rate: 0.5 }] }
    ])
    const { tasks } = unfolded(planOf(spec, sources))
    const pieces = tasks.flatMap(({ work }) => (work._tag === "dissolve" ? [work] : []))
    assert.deepStrictEqual(
      pieces.map(({ at, first, second }) => [
        at,
        first.section,
        first.from,
        first.to,
        second.section,
        second.from,
        second.to
      ]),
      [
        [0, 0, 175, 200, 0, 0, 25],
        [25, 1, 0, 13, 0, 25, 38],
        [38, 1, 13, 25, 1, 0, 12]
      ]
    )
    assert.isTrue(pieces.every((work) => work.of === 50 && encodesPicture(work)))
    assert.deepStrictEqual(
      tasks.flatMap(({ work }) =>
        work._tag === "sound" || work._tag === "crossfade" ? [[work._tag, work.samples]] : []
      ),
      [
        ["sound", 175 * 1920],
        ["crossfade", 50 * 1920],
        ["sound", (38 + 131 - 50) * 1920]
      ]
    )
  })
})
