import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Overlay, SpeedSegment } from "@reelay/contracts/Edits"
import { Micros, type Rational } from "@reelay/contracts/Quantity"
import fc from "fast-check"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { drawingOf } from "../src/OverlayTimeline.ts"
import { sectionsOf } from "../src/Sections.ts"
import type { Painted } from "../src/AssColor.ts"
import { bounds, colorAt, drawn, drawnOn, type Drawing, GROUND } from "./Drawn.ts"
import { type Plane, similarity } from "./Reference.ts"

const PAL: Rational = { num: 25, den: 1 }
const NTSC: Rational = { num: 30_000, den: 1001 }
const sized = (width: number, height: number) => ({ width, height })
const SMALL = sized(320, 180)

interface Shot {
  readonly rate?: Rational
  readonly speed?: ReadonlyArray<SpeedSegment>
  readonly start?: number
  readonly end?: number
}
const sectionsFor = ({ end = 100, rate = PAL, speed = [], start = 0 }: Shot) =>
  sectionsOf({ start: Micros.make(start * 1e6), end: Micros.make(end * 1e6), speed }, rate)

const maskOf = (overlays: ReadonlyArray<Overlay>, from: number, to: number) => {
  const drawing = drawingOf({ name: "clip", overlays }, "overlay", SMALL, PAL)
  const section = sectionsFor({})[0] ?? assert.fail()
  return { highlights: drawing.highlights(section, from, to), scripts: drawing.scripts(section, from, to) }
}
const scriptsOf = (overlays: ReadonlyArray<Overlay>, from: number, to: number, shot: Shot = {}, on = SMALL, at = 0) => {
  const drawing = drawingOf({ name: "clip", overlays }, "overlay", on, shot.rate ?? PAL)
  return drawing.scripts(sectionsFor(shot)[at] ?? assert.fail(), from, to)
}

const text = (change: Partial<Extract<Overlay, { readonly type: "text" }>> = {}): Overlay => ({
  type: "text",
  text: "█",
  start: 0,
  end: 10,
  x: 0.25,
  y: 0.25,
  size: 0.2,
  color: "#ffffff",
  ...change
})
const captions = (format: "srt" | "vtt" | "ass", said: string): Overlay => ({ type: "captions", format, text: said })
const highlight = (
  shape: "ellipse" | "rectangle",
  ...keyframes: ReadonlyArray<readonly [number, number, number, number, number]>
): Overlay => ({
  type: "highlight",
  shape,
  keyframes: keyframes.map(([time, x, y, width, height]) => ({ time, x, y, width, height }))
})

describe("overlays", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-overlays-`)
  })
  afterAll(() => rm(folder, { recursive: true }))
  const draw = (scripts: ReadonlyArray<Painted> | Drawing, frames: number, rate = PAL, size = SMALL) =>
    drawn(folder, scripts, { frames, rate, size })

  describe("are shown by exactly the frames whose time is in [start, end)", () => {
    const RATES: Record<string, Rational> = {
      "25": PAL,
      "29.97": NTSC,
      "120": { num: 120, den: 1 },
      "240": { num: 240, den: 1 }
    }
    for (const [name, rate] of Object.entries(RATES)) {
      it(`at ${name} frames a second`, async () => {
        // Straight from the definition, in whole microseconds.
        const time = (frame: number) => Math.round((frame * 1e6 * rate.den) / rate.num)
        const [start, end] = [time(5) / 1e6, (time(9) + 1) / 1e6]
        const expected = Array.from({ length: 16 }, (_, n) => n).filter(
          (n) => time(n) >= time(5) && time(n) < time(9) + 1
        )
        const { frames } = await draw(scriptsOf([text({ start, end })], 0, 16, { rate }), 16, rate)
        assert.deepStrictEqual(drawnOn(frames), expected)
        assert.deepStrictEqual(expected, [5, 6, 7, 8, 9])
      })
    }

    it("whatever frames a chunk has of a clip, and wherever the clip begins", async () => {
      const shot = { start: 2.02, rate: NTSC }
      const overlays = [text({ start: 3, end: 3.5 })]
      // The clip's frame n is at 2.02 + n · 1001/30000 s: 30 is the first from 3 s on, 44 the last before 3.5 s.
      const { frames } = await draw(scriptsOf(overlays, 28, 50, shot), 22, NTSC)
      assert.deepStrictEqual(
        drawnOn(frames).map((n) => n + 28),
        Array.from({ length: 15 }, (_, n) => 30 + n)
      )
      assert.deepStrictEqual(scriptsOf(overlays, 0, 30, shot), [])
      assert.deepStrictEqual(scriptsOf(overlays, 45, 60, shot), [])
    })

    it("in slow and fast motion", async () => {
      const shot = {
        start: 1,
        end: 4,
        speed: [
          { start: 1, end: 2, rate: 0.5 },
          { start: 2, end: 4, rate: 4 }
        ]
      }
      const overlays = [text({ start: 1.4, end: 3.04 })]
      const slow = await draw(scriptsOf(overlays, 0, 50, shot, SMALL, 0), 50)
      // 0.4 s at half speed is 20 frames; 1.04 s at four times 6½.
      assert.deepStrictEqual(
        drawnOn(slow.frames),
        Array.from({ length: 30 }, (_, n) => 20 + n)
      )
      const fast = await draw(scriptsOf(overlays, 0, 12, shot, SMALL, 1), 12)
      assert.deepStrictEqual(drawnOn(fast.frames), [0, 1, 2, 3, 4, 5, 6])
    })

    it("so that captions in a row never overlap nor leave a frame out", () => {
      const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 3_999_999 }), { minLength: 1, maxLength: 20 })
      fc.assert(
        fc.property(cuts, fc.constantFrom(PAL, NTSC), fc.constantFrom(0.25, 0.7, 1, 3.3), (cuts, rate, speed) => {
          const at = [0, ...cuts.toSorted((a, b) => a - b), 4_000_000]
          const overlays = at
            .slice(1)
            .map((end, i) => text({ start: (at[i] ?? 0) / 1e6, end: end / 1e6, text: `n${i}` }))
          const shot = { end: 4, rate, speed: speed === 1 ? [] : [{ start: 0, end: 4, rate: speed }] }
          const frames = sectionsFor(shot)[0]?.frames ?? 0
          const script = scriptsOf(overlays, 0, frames, shot)[0]?.text ?? ""
          const times = [...script.matchAll(/^Dialogue: 0,([\d:.]+),([\d:.]+),/gmu)]
          assert.strictEqual(times[0]?.[1], "1:00:00.00")
          for (const [i, found] of times.entries()) if (i > 0) assert.strictEqual(found[1], times[i - 1]?.[2])
          const shown = times.reduce((sum, found) => sum + (tenths(found[2]) - tenths(found[1])), 0)
          assert.strictEqual(shown, frames)
        }),
        { numRuns: 200 }
      )
    })
  })

  describe("are where they belong", () => {
    it("a text with the corner of its first line at x, y", async () => {
      const on = sized(640, 360)
      for (const [x, y, size] of [
        [0.25, 0.25, 0.2],
        [0.613, 0.07, 0.1]
      ] as const) {
        const { frames } = await draw(scriptsOf([text({ x, y, size })], 0, 1, {}, on), 1, PAL, on)
        // The block fills its line; around it is the outline.
        const white = bounds(frames[0] ?? assert.fail(), (pixel) => pixel > 220) ?? assert.fail()
        assert.closeTo(white.left, x * 640, 2)
        assert.closeTo(white.top, y * 360, 2)
        assert.closeTo(white.bottom - white.top, size * 360, 3)
      }
    })

    it("captions at the bottom in the middle, within the safe area, in at most two lines", async () => {
      const long = "A sentence that goes on for rather longer than anybody would want to read in one line of a picture."
      for (const on of [sized(640, 360), sized(360, 640), sized(400, 400)]) {
        const { frames } = await draw(scriptsOf([captions("srt", cue(long))], 0, 1, {}, on), 1, PAL, on)
        const box = bounds(frames[0] ?? assert.fail()) ?? assert.fail()
        const { height, width } = on
        assert.closeTo((box.left + box.right) / 2, width / 2, 4)
        assert.isAtLeast(box.left, 0.05 * width - 2)
        // Letters below the line may dip their outline into the margin.
        assert.isAtMost(box.bottom, 0.95 * height + 2)
        assert.isAtLeast(box.bottom, 0.9 * height)
        assert.isAtMost(box.bottom - box.top, 2 * 0.06 * Math.min(width, height) + 4)
      }
    })

    it("captions at once one above the other", async () => {
      const both = `${cue("below")}\n\n${cue("above")}`
      const { frames } = await draw(scriptsOf([captions("srt", both)], 0, 1), 1)
      const one = await draw(scriptsOf([captions("srt", cue("above"))], 0, 1), 1)
      const height = ({ frames }: { readonly frames: ReadonlyArray<Plane> }) => {
        const box = bounds(frames[0] ?? assert.fail()) ?? assert.fail()
        return box.bottom - box.top
      }
      assert.isAtLeast(height({ frames }), height(one) + 8)
    })

    it("captions in the direction of their letters", async () => {
      const caption = async (said: string) => {
        const { frames } = await draw(scriptsOf([captions("srt", cue(said))], 0, 1), 1)
        return frames[0] ?? assert.fail()
      }
      // A Hebrew sentence goes from right to left, and the Latin word at its end stands at the left.
      const [hebrew, latin] = [await caption("שלום MMM"), await caption("MMM שלום")]
      const count = (differs: (i: number) => boolean) => hebrew.pixels.filter((_, i) => differs(i)).length
      const ink = count((i) => Math.abs((hebrew.pixels[i] ?? 0) - GROUND) > 40)
      const apart = count((i) => Math.abs((hebrew.pixels[i] ?? 0) - (latin.pixels[i] ?? 0)) > 40)
      assert.isAbove(ink, 100)
      assert.isBelow(apart, ink / 5)
    })

    it("captions where a cue says", async () => {
      const where = async (settings: string) => {
        const { frames } = await draw(
          scriptsOf([captions("vtt", `WEBVTT\n\n00:00.000 --> 00:09.000 ${settings}\nMM`)], 0, 1),
          1
        )
        return bounds(frames[0] ?? assert.fail()) ?? assert.fail()
      }
      assert.isBelow((await where("line:0")).bottom, 30)
      assert.isAbove((await where("line:-1")).top, 150)
      assert.closeTo((await where("line:50% align:start")).left, 16, 4)
      assert.closeTo((await where("align:end position:50%")).right, 160, 4)
      const top = await draw(scriptsOf([captions("srt", cue("{\\an8}up"))], 0, 1), 1)
      assert.isBelow(bounds(top.frames[0] ?? assert.fail())?.bottom ?? 0, 40)
    })

    it("a clip's name in a box in the left upper corner", async () => {
      const on = sized(640, 360)
      const drawing = drawingOf({ name: "Take 3", overlays: [text()] }, "annotate", on, PAL)
      const { frames } = await draw(drawing.scripts(sectionsFor({})[0] ?? assert.fail(), 0, 1), 1, PAL, on)
      const box = bounds(frames[0] ?? assert.fail()) ?? assert.fail()
      assert.closeTo(box.left, 32 - 4, 2)
      assert.closeTo(box.top, 18 - 4, 2)
      assert.closeTo(box.bottom - box.top, 16 + 8, 2)
      assert.isBelow(box.right, 140)
    })
  })

  describe("a highlight", () => {
    const [WIDTH, HEIGHT] = [SMALL.width, SMALL.height]
    /** Dimmed to two fifths outside the shape; edges by how much of a pixel lies within (16 samples). */
    const reference = (inside: (x: number, y: number) => boolean): Plane => {
      const pixels = new Float32Array(WIDTH * HEIGHT)
      for (let y = 0; y < HEIGHT; y++) {
        for (let x = 0; x < WIDTH; x++) {
          let within = 0
          for (let i = 0; i < 16; i++) if (inside(x + ((i % 4) + 0.5) / 4, y + ((i >> 2) + 0.5) / 4)) within++
          const light = 0.4 + 0.6 * (within / 16)
          pixels[y * WIDTH + x] = ((16 + (GROUND - 16) * light - 16) * 255) / 219
        }
      }
      return { width: WIDTH, height: HEIGHT, pixels }
    }
    const ellipse = (x: number, y: number, width: number, height: number) => (px: number, py: number) => {
      const [dx, dy] = [(px / WIDTH - x) / width - 0.5, (py / HEIGHT - y) / height - 0.5]
      return dx * dx + dy * dy < 0.25
    }
    const rectangle = (x: number, y: number, width: number, height: number) => (px: number, py: number) =>
      px / WIDTH >= x && px / WIDTH < x + width && py / HEIGHT >= y && py / HEIGHT < y + height

    it("rings what its keyframes say, frame by frame, and dims the rest", async () => {
      const overlay = highlight("ellipse", [0.4, 0.1, 0.2, 0.2, 0.3], [1.2, 0.6, 0.5, 0.3, 0.4])
      const { frames } = await draw(maskOf([overlay], 5, 35), 30)
      assert.deepStrictEqual(
        drawnOn(frames).map((n) => n + 5),
        Array.from({ length: 20 }, (_, n) => n + 10)
      )
      for (const n of [10, 17, 25, 29]) {
        const part = (n / 25 - 0.4) / 0.8
        const mix = (a: number, b: number) => a + (b - a) * part
        const expected = reference(ellipse(mix(0.1, 0.6), mix(0.2, 0.5), mix(0.2, 0.3), mix(0.3, 0.4)))
        assert.isAtLeast(similarity(frames[n - 5] ?? assert.fail(), expected), 0.98)
      }
    })

    it("leaves both of two that overlap as they are, and is one event while nothing moves", async () => {
      const overlays = [highlight("ellipse", [0, 0.1, 0.1, 0.5, 0.6]), highlight("rectangle", [0, 0.4, 0.3, 0.5, 0.5])]
      const mask = maskOf(overlays, 100, 150)
      assert.strictEqual(mask.highlights?.match(/^Dialogue/gmu)?.length, 1)
      const { frames } = await draw(mask, 50)
      assert.lengthOf(frames, 50)
      const [a, b] = [ellipse(0.1, 0.1, 0.5, 0.6), rectangle(0.4, 0.3, 0.5, 0.5)]
      const expected = reference((x, y) => a(x, y) || b(x, y))
      for (const n of [0, 49]) assert.isAtLeast(similarity(frames[n] ?? assert.fail(), expected), 0.98)
      // Untouched inside: to the last bit.
      assert.strictEqual(frames[0]?.pixels[90 * WIDTH + 160], frames[0]?.pixels[60 * WIDTH + 70])
    })

    it("never dims what is written", async () => {
      const white = async (overlays: ReadonlyArray<Overlay>) => {
        const { frames } = await draw(maskOf(overlays, 0, 1), 1)
        return Math.max(...(frames[0]?.pixels ?? []))
      }
      const shade = highlight("rectangle", [0, 0.8, 0.8, 0.1, 0.1])
      assert.strictEqual(await white([text(), shade]), await white([text()]))
    })
  })

  it("have the colours that were asked for, the purest too, in small pictures and large ones", async () => {
    for (const [on, at] of [
      [SMALL, { x: 100, y: 60 }],
      [sized(1280, 720), { x: 400, y: 240 }]
    ] as const) {
      for (const [name, ...expected] of [
        ["#ffffff", 255, 255, 255],
        ["#808080", 128, 128, 128],
        ["#ff0000", 255, 0, 0],
        ["#00ff00", 0, 255, 0],
        ["#0000ff", 0, 0, 255],
        ["#c09040", 192, 144, 64]
      ] as const) {
        const shown = await colorAt(folder, scriptsOf([text({ color: name, size: 0.5 })], 0, 1, {}, on), on, at)
        for (const [i, part] of expected.entries()) assert.closeTo(shown[i] ?? 0, part, 4, `${name}: ${shown.join()}`)
      }
    }
    const at = { x: 100, y: 60 }
    // Half transparent on grey.
    const [red = 0] = await colorAt(folder, scriptsOf([text({ color: "#ffffff80", size: 0.5 })], 0, 1), SMALL, at)
    assert.closeTo(red, (255 + 128) / 2, 6)
    const green = await colorAt(folder, scriptsOf([text({ color: "#00ff0080", size: 0.5 })], 0, 1), SMALL, at)
    for (const [i, part] of [64, 192, 64].entries()) assert.closeTo(green[i] ?? 0, part, 6, green.join())
  })

  it("key a chunk by what it shows and nothing else", () => {
    const overlays = [text({ start: 1, end: 2 }), text({ start: 5, end: 6 }), captions("srt", cue("x", 0, 1))]
    const before = scriptsOf(overlays, 25, 75)
    assert.deepStrictEqual(scriptsOf([overlays[0] ?? assert.fail()], 25, 75), before)
    assert.deepStrictEqual(scriptsOf(overlays, 60, 100), [])
    assert.notDeepEqual(scriptsOf([text({ start: 1, end: 2, text: "y" })], 25, 75), before)
  })

  it("are written down like this", () => {
    const on = sized(1280, 720)
    const overlays = [
      captions("vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHello <i>there</i>,\nGeneral"),
      text({ text: "Chapter {1}", start: 0, end: 1.5, x: 0.1, y: 0.1, size: 0.08, color: "#e08840cc" }),
      highlight("rectangle", [1, 0.25, 0.25, 0.5, 0.5], [1.08, 0.5, 0.25, 0.5, 0.5])
    ]
    const drawing = drawingOf({ name: "clip", overlays }, "overlay", on, PAL)
    const section = sectionsFor({})[0] ?? assert.fail()
    const lines = (script: string) => script.split("\n").filter((line) => /^(Style|Dialogue|Play)/u.test(line))
    const [script] = drawing.scripts(section, 25, 50)
    assert.isNull(script?.chroma)
    assert.deepStrictEqual(lines(script?.text ?? ""), GOLDEN)
    assert.deepStrictEqual(lines(drawing.highlights(section, 25, 50) ?? ""), GOLDEN_MASK)
  })
})

const GOLDEN: ReadonlyArray<string> = [
  "PlayResX: 1280",
  "PlayResY: 720",
  "Style: Caption,Noto Sans,43,&H00FFFFFF,&H00FFFFFF,&H19000000,&H80000000,0,0,0,0,100,100,0,0,1,2.4,1.3,2,210,210,36,-1",
  "Style: Text,Noto Sans,43,&H00FFFFFF,&H00FFFFFF,&H19000000,&H80000000,0,0,0,0,100,100,0,0,1,2.4,1.3,7,64,64,36,-1",
  "Dialogue: 0,1:00:00.00,1:00:02.50,Caption,,0,0,0,,Hello {\\i1}there{\\i0},\\NGeneral",
  "Dialogue: 0,1:00:00.00,1:00:01.30,Text,,128,64,0,,{\\pos(128,72)\\fs58\\bord3.2\\shad0\\1c&H4484D8&\\1a&H33&\\3a&H47&}Chapter \\{1\\}"
]
const GOLDEN_MASK: ReadonlyArray<string> = [
  "PlayResX: 1280",
  "PlayResY: 720",
  "Style: Lit,Noto Sans,43,&H00FFFFFF,&H00FFFFFF,&H19000000,&H80000000,0,0,0,0,100,100,0,0,1,0,0,7,0,0,0,-1",
  "Dialogue: 0,1:00:00.00,1:00:00.10,Lit,,0,0,0,,{\\pos(0,0)\\p5}m 5120 2880 l 15360 2880 15360 8640 5120 8640",
  "Dialogue: 0,1:00:00.10,1:00:00.20,Lit,,0,0,0,,{\\pos(0,0)\\p5}m 7680 2880 l 17920 2880 17920 8640 7680 8640",
  "Dialogue: 0,1:00:00.20,1:00:02.50,Lit,,0,0,0,,{\\pos(0,0)\\p5}m 0 0 l 20480 0 20480 11520 0 11520"
]

const tenths = (clock = ""): number => {
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(":").map(Number)
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 10)
}

const cue = (said: string, from = 0, to = 9): string => `1\n00:00:0${from},000 --> 00:00:0${to},000\n${said}\n`
