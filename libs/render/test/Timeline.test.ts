import { assert, describe, it } from "@effect/vitest"
import type { FrameIndex } from "@reelay/contracts/Media"
import { Micros, type Rational } from "@reelay/contracts/Quantity"
import fc from "fast-check"
import { chunksOf, gopFrames, isOneChunk, type RunUps } from "../src/Chunks.ts"
import { frameGrid, placeOf, shownAt } from "../src/FrameGrid.ts"
import { approach } from "../src/Seek.ts"
import { framesBetween, microsAt, samplesBefore } from "../src/Timeline.ts"
import { model } from "./Model.ts"

const usual: ReadonlyArray<Rational> = [
  { num: 24000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30000, den: 1001 },
  { num: 30, den: 1 },
  { num: 50, den: 1 },
  { num: 60000, den: 1001 },
  { num: 60, den: 1 }
]
const rates = fc.oneof(
  fc.constantFrom(...usual),
  fc.record({ num: fc.integer({ min: 1, max: 240_000 }), den: fc.integer({ min: 1, max: 2002 }) })
)
const family = fc.constantFrom("software", "nvenc", "qsv", "amf", "videotoolbox")
const timeBases = fc.constantFrom<Rational>(
  { num: 1, den: 90_000 },
  { num: 1, den: 1000 },
  { num: 1, den: 15_360 },
  { num: 1, den: 60_000 },
  { num: 1001, den: 30_000 },
  { num: 1, den: 25 },
  { num: 1, den: 705_600_000 }
)

describe("Timeline", () => {
  it("counts frames to the nearest, halves up, as exact arithmetic does", () => {
    fc.assert(
      fc.property(fc.nat(1e12), fc.nat(1e12), rates, (start, length, rate) => {
        const frames = BigInt(framesBetween(Micros.make(start), Micros.make(start + length), rate))
        // |frames − length·R| ≤ ½, and at exactly ½ the larger.
        const twice = 2n * (BigInt(length) * BigInt(rate.num) - frames * 1_000_000n * BigInt(rate.den))
        const whole = 1_000_000n * BigInt(rate.den)
        assert.isTrue(twice < whole && twice >= -whole, `${length} µs at ${rate.num}/${rate.den}: ${frames}`)
      })
    )
  })

  it("knows the numbers that everybody gets wrong", () => {
    const ntsc = { num: 30000, den: 1001 }
    assert.strictEqual(framesBetween(Micros.make(0), Micros.make(60_000_000), ntsc), 1798)
    assert.strictEqual(framesBetween(Micros.make(0), Micros.make(1_001_000), ntsc), 30)
    assert.strictEqual(framesBetween(Micros.make(0), Micros.make(20_000), { num: 25, den: 1 }), 1)
    assert.strictEqual(framesBetween(Micros.make(0), Micros.make(19_999), { num: 25, den: 1 }), 0)
    assert.strictEqual(samplesBefore(5, ntsc), 8008)
    assert.strictEqual(samplesBefore(1, ntsc), 1602)
  })

  it("cuts sound where frames are cut: pieces add up to the whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 30 }),
        rates,
        (lengths, rate) => {
          let [frames, samples] = [0, 0]
          for (const length of lengths) {
            const piece = samplesBefore(frames + length, rate) - samplesBefore(frames, rate)
            assert.closeTo(piece, (length * 48_000 * rate.den) / rate.num, 1.001)
            frames += length
            samples += piece
          }
          assert.strictEqual(samples, samplesBefore(frames, rate))
        }
      )
    )
  })

  it("reckons joints to the microsecond however many there are", () => {
    fc.assert(
      fc.property(fc.nat(1e8), fc.constantFrom(...usual), (frame, rate) => {
        assert.closeTo(microsAt(frame, rate) - (frame * rate.den * 1e6) / rate.num, 0, 0.51)
      })
    )
  })
})

describe("Chunks", () => {
  const nowhere: RunUps = { before: () => 0, keysNear: () => [] }
  /** A source at the output's rate with a key frame every so many frames. */
  const keysEvery = (count: number, rate: Rational): RunUps => ({
    before: (frame) => Math.round(((frame % count) * rate.den * 1e6) / rate.num),
    keysNear: (frame) => [frame - (frame % count), frame - (frame % count) + count]
  })
  const seconds = (count: number, rate: Rational) => Math.max(1, Math.round((count * rate.num) / rate.den))

  it("cover a clip without gap or overlap, none of them tiny or huge", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000_000 }),
        rates,
        family,
        fc.integer({ min: 1, max: 1000 }),
        (frames, rate, family, every) => {
          const chunks = chunksOf(frames, rate, family, keysEvery(every, rate))
          const least = seconds(family === "software" ? 6 : 30, rate)
          let usual = least
          while (frames / usual > 1024) usual *= 2
          assert.strictEqual(chunks[0]?.from, 0)
          assert.strictEqual(chunks.at(-1)?.to, frames)
          for (const [i, chunk] of chunks.entries()) {
            if (i > 0) assert.strictEqual(chunk.from, chunks[i - 1]?.to)
            assert.isAtLeast(3 * (chunk.to - chunk.from), chunks.length > 1 ? usual : 0)
            assert.isAtMost(chunk.to - chunk.from, 2 * usual)
          }
          assert.isAtMost(chunks.length, 1024 * 2 + 1)
          assert.strictEqual(chunks.length === 1 && usual === least, isOneChunk(frames, rate, family))
        }
      )
    )
  })

  it("are six seconds long on software, thirty on hardware", () => {
    const ends = (family: "software" | "nvenc") =>
      chunksOf(30 * 65, { num: 30, den: 1 }, family, nowhere).map((chunk) => chunk.to)
    assert.deepStrictEqual(ends("software"), [180, 360, 540, 720, 900, 1080, 1260, 1440, 1620, 1800, 1950])
    assert.deepStrictEqual(ends("nvenc"), [900, 1950])
    // 2 s left over join their neighbour; 3 s stand alone.
    assert.deepStrictEqual(chunksOf(30 * 8, { num: 30, den: 1 }, "software", nowhere), [{ from: 0, to: 240 }])
    assert.strictEqual(chunksOf(30 * 9, { num: 30, den: 1 }, "software", nowhere).length, 2)
  })

  it("begin where nothing of the source is decoded in vain", () => {
    const rate = { num: 30, den: 1 }
    // A key frame every 8⅓ s, as x264 makes them by itself.
    const runUps = keysEvery(250, rate)
    const decoded = (froms: ReadonlyArray<number>) => froms.reduce((sum, from) => sum + runUps.before(from), 0) / 1e6
    assert.closeTo(decoded([0, 180, 360, 540, 720, 900, 1080, 1260, 1440, 1620]), 36.67, 0.01)
    const begin = (frames: number, runUps: RunUps) => chunksOf(frames, rate, "software", runUps).map(({ from }) => from)
    assert.deepStrictEqual(begin(1740, runUps), [0, 250, 500, 750, 1000, 1250, 1500])
    // A key frame every second is met without moving; the end of a clip is never left to one node, and may be short.
    assert.deepStrictEqual(begin(600, keysEvery(30, rate)), [0, 180, 360])
    assert.deepStrictEqual(begin(500 + 290, runUps), [0, 250, 500, 680])
    assert.deepStrictEqual(begin(500 + 330, runUps), [0, 250, 500, 750])
    assert.deepStrictEqual(begin(290, keysEvery(1000, rate)), [0, 180])
  })

  it("of the beginning stay when the end moves (for clips under an hour and a half)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.nat(100_000),
        rates,
        fc.integer({ min: 1, max: 1000 }),
        (frames, more, rate, every) => {
          fc.pre(frames + more <= 1000 * seconds(6, rate))
          const of = (frames: number) => chunksOf(frames, rate, "software", keysEvery(every, rate))
          // The last two share what is left.
          const kept = of(frames).slice(0, -2)
          assert.deepStrictEqual(of(frames + more).slice(0, kept.length), kept)
        }
      )
    )
  })

  it("have groups of pictures of one length, two seconds at the most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), rates, (frames, rate) => {
        const gop = gopFrames(frames, rate)
        const most = seconds(2, rate)
        assert.isAtMost(gop, most)
        // As few as can be, and the last one hardly shorter than the others.
        const groups = Math.ceil(frames / gop)
        assert.strictEqual(groups, Math.ceil(frames / most))
        if (groups > 1) assert.isAbove(frames - (groups - 1) * gop, gop - groups)
        else assert.strictEqual(gop, most)
      })
    )
    const lengths = [180, 195, 250, 61, 45].map((frames) => gopFrames(frames, { num: 30, den: 1 }))
    assert.deepStrictEqual(lengths, [60, 49, 50, 31, 60])
  })
})

/** Random frame times as a camera with a nervous clock would make them. */
const indexes = fc
  .record({
    timeBase: timeBases,
    first: fc.integer({ min: -200_000, max: 10_000_000 }),
    steps: fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 60 })
  })
  .map(({ timeBase, first, steps }): FrameIndex => {
    const pts = [first]
    for (const step of steps) pts.push((pts.at(-1) ?? 0) + step)
    const keys = pts.map((_, i) => i).filter((i) => i % 7 === 0)
    return { v: 1, timeBase, pts, keys, keyBytes: keys.map(() => -1) }
  })

describe("FrameGrid", () => {
  it("finds the source frame that the definition says", () => {
    fc.assert(
      fc.property(indexes, fc.nat(20_000_000), rates, (index, start, rate) => {
        const grid = frameGrid(index.timeBase, index.pts[0] ?? 0, Micros.make(start), rate)
        const frames = 25
        assert.deepStrictEqual(
          Array.from({ length: frames }, (_, n) => shownAt(grid, index, n)),
          model(index, start, frames, rate)
        )
      })
    )
  })

  it("stays where doubles are exact: ffmpeg evaluates the same formula", () => {
    // An hour of a clip that starts a day into its source, at every usual rate and common time base.
    for (const timeBase of [
      { num: 1, den: 90_000 },
      { num: 1, den: 1000 },
      { num: 1, den: 60_000 },
      { num: 1001, den: 30_000 }
    ]) {
      for (const rate of usual) {
        const grid = frameGrid(timeBase, 12_345, Micros.make(86_400_123_457), rate)
        const hour = BigInt(Math.ceil((3600 * timeBase.den) / timeBase.num))
        assert.isBelow(Number(hour * grid.scale + grid.bias), 2 ** 53)
      }
    }
  })

  it("converts 59.94 to 29.97 evenly: every tie goes one way", () => {
    const grid = frameGrid({ num: 1, den: 60_000 }, 0, Micros.make(0), { num: 30000, den: 1001 })
    assert.deepStrictEqual(
      Array.from({ length: 9 }, (_, n) => placeOf(grid, 1001 * n)),
      [0, 1, 1, 2, 2, 3, 3, 4, 4]
    )
  })
})

describe("Seek", () => {
  const containers = fc.constantFrom("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "avi")

  it("lands on a key frame at or before the first frame that is shown, or starts at the start", () => {
    fc.assert(
      fc.property(indexes, fc.nat(2_000_000), rates, containers, fc.nat(100), (index, start, rate, container, from) => {
        const zero = index.pts[0] ?? 0
        const fileStart = Micros.make(Math.floor((zero * index.timeBase.num * 1e6) / index.timeBase.den) - 1000)
        const grid = frameGrid(index.timeBase, zero, Micros.make(start), rate)
        const { seek } = approach({ container, fileStart }, index, grid, from, from + 10)
        if (seek === null) return
        const shown = shownAt(grid, index, from)
        const micros = (i: number) => ((index.pts[i] ?? 0) * index.timeBase.num * 1e6) / index.timeBase.den - fileStart
        const key = index.keys.find((key) => Math.abs(micros(key) - seek) < 1)
        assert.isDefined(key, "the seek is to a key frame")
        assert.isAtMost(key ?? Infinity, shown)
        const nearest = index.keys.findLast((candidate) => candidate <= shown) ?? 0
        if (/mp4|matroska/.test(container)) assert.strictEqual(key, nearest)
        else assert.isAtMost(micros(key ?? 0), micros(nearest) - 999_999)
      })
    )
  })

  it("says for how many frames the last one is held", () => {
    const index: FrameIndex = { v: 1, timeBase: { num: 1, den: 25 }, pts: [0, 1, 2, 3, 4], keys: [0], keyBytes: [-1] }
    const grid = frameGrid(index.timeBase, 0, Micros.make(0), { num: 25, den: 1 })
    const media = { container: "avi", fileStart: Micros.make(0) }
    const hold = (from: number, to: number) => approach(media, index, grid, from, to).hold
    assert.deepStrictEqual([hold(0, 3), hold(0, 4), hold(0, 5), hold(0, 9), hold(6, 9)], [0, 0, 1, 5, 3])
  })
})
