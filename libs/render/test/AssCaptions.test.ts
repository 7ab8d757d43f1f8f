import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { SpeedSegment } from "@reelay/contracts/Edits"
import { Micros } from "@reelay/contracts/Quantity"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { parseAss } from "../src/AssCaptions.ts"
import { overlayRefusal } from "../src/OverlayLimits.ts"
import { type Painted, styleColor } from "../src/AssColor.ts"
import { drawingOf } from "../src/OverlayTimeline.ts"
import { sectionsOf } from "../src/Sections.ts"
import { drawn, drawnOn, GROUND } from "./Drawn.ts"
import { type Plane, similarity } from "./Reference.ts"

const RATE = { num: 25, den: 1 }
const SIZE = { width: 320, height: 180 }

const scriptsOf = (text: string, from: number, to: number, speed: ReadonlyArray<SpeedSegment> = []) => {
  const section = sectionsOf({ start: Micros.make(0), end: Micros.make(4_000_000), speed }, RATE)[0] ?? assert.fail()
  const overlays = [{ type: "captions", format: "ass", text } as const]
  return drawingOf({ name: "", overlays }, "overlay", SIZE, RATE).scripts(section, from, to)
}

const HEAD = `[Script Info]
; a comment
Title: test
ScriptType: v4.00+
PlayResX: 640
PlayResY: 360
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Main,DejaVu Sans,40,&H00FFFFFF,&H000000FF,&H00000000,&H80000000,-1,0,0,0,100,100,0,0,1,2,1,2,20,20,20,1
Style: Sign,DejaVu Serif,30,&H00E0E0E0,&H000000FF,&H00202020,&H80000000,0,-1,0,0,100,90,1,0,1,1,0,8,20,20,20,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
`
const line = (text: string, style = "Main", times = "0:00:00.20,0:00:01.40") =>
  `Dialogue: 0,${times},${style},,0,0,0,,${text}\n`
const RICH =
  HEAD
  + line("{\\fad(300,400)}Fading, {\\i1}slanted{\\i0} and\\Nbroken")
  + line("{\\an7\\move(20,20,500,200,100,900)\\frz10}moving", "Sign")
  + line("{\\pos(320,180)\\t(200,800,\\fscx200\\fscy50\\1c&H000000&)}growing", "Sign")
  + line("{\\an9\\k20}ka{\\k30}ra{\\kf40}o{\\k10}ke")
  + line("{\\an7\\pos(0,0)\\bord0\\shad0\\1a&H40&\\p1}m 500 300 b 500 250 600 250 600 300 l 600 350 500 350{\\p0}")
  + line("{\\pos(100,300)\\clip(60,250,140,320)\\blur2}clipped", "Sign")

describe("somebody's ASS file", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-ass-`)
  })
  afterAll(() => rm(folder, { recursive: true }))
  const draw = async (scripts: ReadonlyArray<Painted>, frames: number): Promise<ReadonlyArray<Plane>> =>
    (await drawn(folder, scripts, { frames, rate: RATE, size: SIZE })).frames

  /** By ffmpeg and libass alone, as the file is, at 25 frames a second. */
  const asItIs = async (text: string, frames: number): Promise<ReadonlyArray<Plane>> => {
    await writeFile(`${folder}/original.ass`, text)
    const filters = `format=yuv420p,lutyuv=y=${GROUND}:u=128:v=128,ass=${folder}/original.ass,format=gray`
    const input = ["-v", "error", "-f", "lavfi", "-i", `color=gray:s=${SIZE.width}x${SIZE.height}:r=25`, "-vf", filters]
    const { stdout } = await execa("ffmpeg", [...input, "-frames:v", String(frames), "-f", "rawvideo", "pipe:1"], {
      encoding: "buffer"
    })
    const area = SIZE.width * SIZE.height
    return Array.from({ length: frames }, (_, i) => ({
      ...SIZE,
      pixels: Float32Array.from(stdout.subarray(i * area, (i + 1) * area))
    }))
  }

  it("looks as it does in a player, frame by frame, with all that moves in it", async () => {
    const expected = await asItIs(RICH, 40)
    const shown = await draw(scriptsOf(RICH, 0, 40), 40)
    assert.deepStrictEqual(drawnOn(shown), drawnOn(expected))
    // Times within it are rounded to a tenth of a frame and less.
    for (const [n, plane] of shown.entries()) {
      assert.isAtLeast(similarity(plane, expected[n] ?? assert.fail()), 0.99, `frame ${n}`)
    }
  })

  it("looks the same in a chunk that begins in the middle of what moves", async () => {
    const whole = await draw(scriptsOf(RICH, 0, 40), 40)
    const part = await draw(scriptsOf(RICH, 17, 31), 14)
    for (const [n, plane] of part.entries()) assert.deepStrictEqual(plane.pixels, whole[n + 17]?.pixels)
  })

  it("goes as fast as the picture", async () => {
    const usual = await draw(scriptsOf(RICH, 0, 40), 40)
    const double = await draw(scriptsOf(RICH, 0, 20, [{ start: 0, end: 4, rate: 2 }]), 20)
    for (const [n, plane] of double.entries()) {
      // A line that begins between two frames of the faster one begins with the next of them.
      if (n === 2 || n === 3) continue
      assert.isAtLeast(similarity(plane, usual[2 * n] ?? assert.fail()), 0.97, `frame ${n}`)
    }
  })

  it("is written anew, with what is known and within bounds", () => {
    const text =
      "\ufeff[Script Info]\r\nPlayResX: 99999999\r\nPlayResY: 4000\r\nWrapStyle: 2\r\n[Fonts]\r\nfontname: evil.ttf\r\n!!!!\r\n"
      + "[Graphics]\r\nfilename: x.bmp\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, PrimaryColour, Alignment\r\n"
      + "Style: A{\\b1},/etc/../passwd,1e9,&H80FFFFFF,7\r\n[Events]\r\nFormat: Start, End, Style, Effect, Text\r\n"
      + "Comment: 0:00:00.00,0:00:09.00,A,,nothing\r\nPicture: 0:00:00.00,0:00:09.00,A,,x.bmp\r\n"
      + "Movie: 0:00:00.00,0:00:09.00,A,,x.avi\r\nCommand: 0:00:00.00,0:00:09.00,A,,rm\r\n"
      + "Dialogue: 0:00:00.00,0:00:09.00,Ab1,,{comment \\fs1e9\\fs99999\\blur9999\\evil(1)\\fn/etc/x\\rA\\rNone\\c&Hfffffff&\\pos(1)"
      + "\\pos(1e9,-5)\\t(0,1,\\t(\\fs5)\\fs7)\\fad(100,999999999)}a, b {unclosed\r\n"
      + "Dialogue: 0:00:01.00,0:00:00.50,A,,back\r\nDialogue: 0:00:01.00,0:00:02.00,A,Banner;5,scrolls\r\n"
      + "Dialogue: 0:00:00.00,0:00:09.00,A,,{\\p1}m 0 0 l 1e9 99999999 x{\\p4}y 5 5 b {\\p0}text\r\n"
    const { issues } = parseAss(text)
    assert.deepStrictEqual(issues, [
      { line: 20, message: "ends before it begins" },
      { line: 21, message: "has an effect, which is left out" }
    ])
    assert.deepStrictEqual(
      scriptsOf(text, 0, 10)[0]
        ?.text.split("\n")
        .filter((row) => /^(Play|Wrap|Style|Dialogue)/u.test(row)),
      [
        "PlayResX: 16384",
        "PlayResY: 4000",
        "WrapStyle: 2",
        "Style: Ab1,etc..passwd,2000,&H80FFFFFF,&H80FFFFFF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,2,2,7,0,0,0,1",
        "Dialogue: 0,1:00:00.00,1:00:22.50,Ab1,,0,0,0,,{\\fs1\\fs2000\\blur50\\fnetcx\\r\\r\\c&HFFFFFF&\\pos(1,-5)\\t(0,3,\\fs7)\\fad(250,90000000)}a, b \\{unclosed",
        "Dialogue: 0,1:00:00.00,1:00:01.00,Ab1,,0,0,0,,{\\p1}m 0 0 l 1 9 20000{\\p4}5 5 b{\\p0}text"
      ]
    )
  })

  it("of the older kind is understood too", () => {
    const text =
      "[Script Info]\nScriptType: v4.00\n[V4 Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, TertiaryColour, Alignment\n"
      + "Style: Default,Arial,20,16777215,8421504,6\n[Events]\nFormat: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
      + "Dialogue: Marked=0,0:00:00.00,0:00:01.00,*Default,,0,0,0,,hello, world\n"
    const { script } = parseAss(text)
    assert.deepInclude(script.styles[0], {
      color: styleColor("#ffffff", "00"),
      outlineColor: styleColor("#808080", "00"),
      alignment: 8
    })
    assert.deepStrictEqual(script.lines[0]?.parts, ["hello, world"])
    assert.deepStrictEqual(script.resolution, { width: 384, height: 288 })
  })

  const ALWAYS = "0:00:00.00,0:00:04.00"
  const refusal = (text: string) => overlayRefusal({ type: "captions", format: "ass", text })

  it("is refused when it would take more than a node should give, whatever it is that is so large", () => {
    const wild = "{\\fs99999\\fscx99999\\fscy99999\\bord99999\\shad99999\\blur99999\\frx45\\t(\\fs1\\fr9999)}"
    const box = "m 0 0 l 99999 0 99999 99999 b 0 99999 50000 0 -99999 5 "
    const large = [
      line(`${wild}WWWW`, "Main", ALWAYS),
      line("{\\bord200}so many letters".repeat(20), "Main", ALWAYS).repeat(40),
      line(`{\\p1\\fscx500}${box}`, "Main", ALWAYS),
      line("{\\t(0,1,\\fs2000)}WWWWWWWW", "Main", ALWAYS),
      line("{\\fs300}WWWWWWWWWWWWWWWWWWWW", "Main", ALWAYS).repeat(20),
      line(`{\\frx45\\frz45\\fax9}${"W".repeat(100)}`, "Main", ALWAYS).repeat(20)
    ]
    for (const text of large) assert.strictEqual(refusal(HEAD + text), "too much is drawn at once, or too large")
    assert.strictEqual(refusal(RICH), null)
    // A page of small print, and the same one after the other.
    assert.strictEqual(refusal(HEAD + line("{\\fs12}small print ".repeat(100), "Main", ALWAYS).repeat(20)), null)
  })

  it("is drawn in bounded time when it is not refused, however its commands are piled up", async () => {
    const piled =
      "{\\blur99999\\be99999\\shad99999\\frx45\\fry45\\t(\\bord1)\\t(\\blur0)\\fad(1,1)\\iclip(1,m 0 0 l 9e9 0 9 9999999)}"
    const text =
      HEAD
      + line(`${piled}${"W".repeat(100)}`, "Main", ALWAYS).repeat(20)
      + line(`{\\p1}${"m 0 0 l 640 0 640 360 b 0 360 320 0 -10 5 ".repeat(1000)}`, "Main", ALWAYS)
    assert.strictEqual(refusal(text), null)
    const before = performance.now()
    assert.strictEqual((await draw(scriptsOf(text, 0, 2), 2)).length, 2)
    assert.isBelow(performance.now() - before, 30_000)
  }, 60_000)

  it("is refused when there is nothing in it, or too much at once", () => {
    assert.strictEqual(refusal(HEAD), "there are no captions in it")
    assert.strictEqual(refusal(HEAD + line("x").repeat(1001)), "at most 1000 captions can be shown at once")
    assert.match(refusal(HEAD + line("x".repeat(70_000))) ?? "", /line 16 is longer than 65536 characters/)
  })

  it("never fails to be read, and what comes of it has one line for each of its own", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\\t(",
        "\\clip(",
        ")",
        "{",
        "}",
        "\\",
        "\\p1",
        "\\N",
        ",",
        "\\fad(1,2)",
        "\\k",
        "\\r",
        "m 0 0 ",
        "\r",
        "\n"
      )
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join("")
        const [{ text: script } = { text: "" }] = scriptsOf(
          `${HEAD}${line(`x${text}`, "Main", "0:00:00.00,0:00:04.00")}`,
          0,
          10
        )
        assert.strictEqual(
          script.match(/^Dialogue: /gmu)?.length,
          1 + (text.match(/[\n\r]\s*Dialogue: /gu)?.length ?? 0)
        )
        assert.isTrue(script.isWellFormed() && !script.includes("\0"))
      }),
      { numRuns: 500 }
    )
  })
})
