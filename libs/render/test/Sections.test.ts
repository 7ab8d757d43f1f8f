import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Micros } from "@reelay/contracts/Quantity"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { clipFrames, sectionsOf } from "../src/Sections.ts"
import { framesBetween } from "../src/Timeline.ts"
import { ingest } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { makeSource } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

const rates = fc.constantFrom({ num: 25, den: 1 }, { num: 30000, den: 1001 }, { num: 60, den: 1 })
/** Segments side by side, from ten milliseconds to three seconds, with or without gaps. */
const timeds = fc
  .record({
    start: fc.nat(5_000_000),
    parts: fc.array(
      fc.record({
        gap: fc.constantFrom(0, 0.1, 1.5),
        length: fc.integer({ min: 10, max: 3000 }),
        rate: fc.integer({ min: 25, max: 400 })
      }),
      { maxLength: 8 }
    ),
    rest: fc.nat(4_000_000)
  })
  .map(({ parts, rest, start }) => {
    let at = start
    const speed = parts.map(({ gap, length, rate }) => {
      const from = at + Math.round(gap * 1e6)
      at = from + length * 1000
      return { start: from / 1e6, end: at / 1e6, rate: rate / 100 }
    })
    return { start: Micros.make(start), end: Micros.make(at + rest + 1), speed }
  })

describe("sections", () => {
  it("of a clip at its own speed are one, as long as the clip", () => {
    const timed = { start: Micros.make(1_234_567), end: Micros.make(9_876_543), speed: [] }
    const rate = { num: 30000, den: 1001 }
    const [only, ...more] = sectionsOf(timed, rate)
    assert.lengthOf(more, 0)
    assert.deepInclude(only, { start: timed.start, end: timed.end, first: 0 })
    assert.strictEqual(only?.frames, framesBetween(timed.start, timed.end, rate))
  })

  it("follow each other without gap or overlap, and their roundings never add up", () => {
    fc.assert(
      fc.property(timeds, rates, (timed, rate) => {
        const sections = sectionsOf(timed, rate)
        let frames = 0
        for (const section of sections) {
          assert.strictEqual(section.first, frames)
          assert.isAtLeast(section.frames, 1)
          frames += section.frames
        }
        assert.strictEqual(clipFrames(timed, rate), frames)
        const inSegments = timed.speed.reduce((sum, { end, rate, start }) => sum + (end - start) / rate, 0)
        const beside =
          (timed.end - timed.start) / 1e6 - timed.speed.reduce((sum, { end, start }) => sum + end - start, 0)
        assert.closeTo(frames, ((inSegments + beside) * rate.num) / rate.den, 0.501)
      })
    )
  })

  it("do not care in which order segments are named, nor for what lies outside the clip", () => {
    const rate = { num: 25, den: 1 }
    const [start, end] = [Micros.make(2_000_000), Micros.make(6_000_000)]
    const slow = { start: 3, end: 4, rate: 0.5 }
    const fast = { start: 5, end: 9, rate: 4 }
    const early = { start: 0, end: 1, rate: 3 }
    const sections = sectionsOf({ start, end, speed: [fast, early, slow] }, rate)
    assert.deepStrictEqual(
      sections.map((section) => [section.start / 1e6, section.end / 1e6, section.speed.num / 10_000, section.frames]),
      [
        [2, 3, 1, 25],
        [3, 4, 0.5, 50],
        [4, 5, 1, 25],
        [5, 6, 4, 6]
      ]
    )
    assert.deepStrictEqual(sections, sectionsOf({ start, end, speed: [slow, fast] }, rate))
  })
})

describe("a clip at several speeds", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-speed-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it("shows the frames that it must", async () => {
    const source = await ingest(await makeSource(folder, "plain", { extension: "mp4", frames: 350 }))
    // 25 frames a second: frame k is shown from k/25 s on.
    const speed = [
      { start: 1, end: 2, rate: 2 },
      { start: 2, end: 3, rate: 0.25 },
      { start: 4, end: 12, rate: 4 }
    ]
    const spec = specOf([source], [{ start: 0, end: 13, speed }], { frameRate: { num: 25, den: 1 } })
    const plan = planOf(spec, [source])
    const { outputs } = await runPlan(plan, [source.path], folder)
    const frames = (count: number, shown: (n: number) => number) => Array.from({ length: count }, (_, n) => shown(n))
    // A source frame's place is rounded to the grid, halves up; an output frame shows the last one that is not after it.
    const expected = [
      ...frames(25, (n) => n),
      // Twelve and a half: the next section begins half a frame later.
      ...frames(13, (n) => 25 + 2 * n),
      ...frames(100, (n) => 50 + Math.floor(n / 4)),
      ...frames(25, (n) => 75 + n),
      ...frames(50, (n) => 101 + 4 * n),
      ...frames(25, (n) => 300 + n)
    ]
    assert.strictEqual(spec.clips[0]?.frames, 238)
    assert.deepStrictEqual(await readNumbers(outputs[0]?.path ?? "", 96, 64), expected)
  })

  it("sounds when it shows, at the same pitch", async () => {
    // A beep of a tenth of a second at every second, 1 kHz.
    const sound = ["-f", "lavfi", "-i", "aevalsrc='if(lt(mod(t,1),0.1),0.5*sin(2*PI*1000*t),0)':s=48000:d=14"]
    const pcm = ["-c:a", "pcm_s16le"]
    const source = await ingest(
      await makeSource(folder, "beeps", { extension: "mov", frames: 350, sound, soundCodec: pcm })
    )
    const speed = [
      { start: 2, end: 4, rate: 0.25 },
      { start: 4, end: 7, rate: 1.5 },
      { start: 8, end: 12, rate: 4 }
    ]
    const rate = { num: 30000, den: 1001 }
    const spec = specOf([source], [{ start: 0.5, end: 13.5, speed }], { frameRate: rate })
    const { outputs } = await runPlan(planOf(spec, [source]), [source.path], folder)
    const { stdout } = await execa(
      "ffmpeg",
      ["-v", "error", "-i", outputs[0]?.path ?? "", "-map", "0:a", "-ac", "1", "-f", "s16le", "pipe:1"],
      { stripFinalNewline: false, encoding: "buffer", maxBuffer: 1 << 28 }
    )
    const samples = new Int16Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.byteLength))
    // Where a beep's energy lies; there is quiet for at least 120 ms on both sides of each.
    const middle = (from: number, to: number) => {
      let [energy, moment] = [0, 0]
      for (let i = Math.round((from - 0.12) * 48_000); i < (to + 0.12) * 48_000; i++) {
        const power = (samples[i] ?? 0) ** 2
        energy += power
        moment += power * i
      }
      return moment / energy / 48_000
    }
    const lasting = (seconds: number, ...starts: ReadonlyArray<number>) =>
      starts.map((at) => [at, at + seconds] as const)
    const beeps = [
      ...lasting(0.1, 0.5, 11.5, 13.5, 14.5),
      ...lasting(0.4, 1.5, 5.5),
      ...lasting(0.1 / 1.5, 9.5, 9.5 + 2 / 3, 9.5 + 4 / 3),
      ...lasting(0.025, 12.5, 12.75, 13, 13.25)
    ]
    for (const [from, to] of beeps) {
      assert.closeTo(middle(from, to), (from + to) / 2, rate.den / rate.num, `the beep at ${from} s`)
    }

    // In the slow part a beep lasts four times as long: 1 kHz is 2,000 changes of sign a second there, too.
    const slow = samples.subarray(5.6 * 48_000, 5.8 * 48_000)
    const changes = slow.reduce((sum, sample, i) => sum + (i > 0 && sample >= 0 !== (slow[i - 1] ?? 0) >= 0 ? 1 : 0), 0)
    assert.closeTo(changes, 400, 20)
  })
})
