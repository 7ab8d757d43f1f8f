import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Micros } from "@reelay/contracts/Quantity"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { missingGlyphsWarning, missingTogether } from "@reelay/contracts/Warning"
import { missingGlyphs } from "../src/MissingGlyphs.ts"
import { drawingOf } from "../src/OverlayTimeline.ts"
import { sectionsOf } from "../src/Sections.ts"
import { drawn } from "./Drawn.ts"

describe("missing glyphs", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-glyphs-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it("are told from what libass says", () => {
    const said = [
      "[Parsed_ass_0 @ 0x5617fe2fc9c0] fontselect: failed to find any fallback with glyph 0x4E2D for font: (Noto Sans, 400, 0)",
      "[Parsed_ass_0 @ 0x5617fe2fc9c0] Glyph 0x1F600 not found, broken font? Trying all charmaps",
      "[Parsed_ass_0 @ 0x5617fe2fc9c0] fontselect: failed to find any fallback with glyph 0x4E2D for font: (Noto Sans, 700, 0)",
      "[Parsed_ass_0 @ 0x5617fe2fc9c0] fontselect: failed to find any fallback with glyph 0x2060 for font: (Noto Sans, 400, 0)",
      "[Parsed_ass_0 @ 0x5617fe2fc9c0] fontselect: failed to find any fallback with glyph 0x10FFFD for font: (Arial, 400, 0)"
    ]
    assert.deepStrictEqual(missingGlyphs(said.join("\n")), "中\u{10fffd}")
    assert.deepStrictEqual(missingGlyphs(""), "")
  })

  it("are some, where there are very many", () => {
    const said = Array.from(
      { length: 20_000 },
      (_, n) =>
        `fontselect: failed to find any fallback with glyph 0x${(0x4e00 + n).toString(16)} for font: (x, 400, 0)`
    )
    const missing = missingGlyphs(said.join("\n"))
    assert.lengthOf([...missing], 33)
    assert.match(missingGlyphsWarning(missing)[0]?.detail ?? "", /^More than 32 characters .* among them 一 丁/u)
    assert.match(missingGlyphsWarning("中文")[0]?.detail ?? "", /^2 characters had no font .*: 中 文$/u)
    assert.match(missingGlyphsWarning("中")[0]?.detail ?? "", /^1 character had no font .*: 中$/u)
    assert.deepStrictEqual(missingGlyphsWarning(missingTogether(["", ""])), [])
    assert.strictEqual(missingTogether(["文中", "中a"]), "a中文")
  })

  it("are those that no font has, and only those", async () => {
    const rate = { num: 25, den: 1 }
    const size = { width: 320, height: 180 }
    const section = sectionsOf({ start: Micros.make(0), end: Micros.make(1_000_000), speed: [] }, rate)[0]
    // A private letter that nobody gives a shape; a backslash, which is followed by a letter without width (AssText.ts).
    const text = "a\\N \u{10fffd} שלום Привет"
    const overlays = [{ type: "text", text, start: 0, end: 1, x: 0.1, y: 0.1, size: 0.1, color: "#ffffff" } as const]
    const drawing = drawingOf({ name: "", overlays }, "overlay", size, rate)
    const { said } = await drawn(folder, drawing.scripts(section ?? assert.fail(), 0, 1), { frames: 1, rate, size })
    assert.deepStrictEqual(missingGlyphs(said), "\u{10fffd}")
  })
})
