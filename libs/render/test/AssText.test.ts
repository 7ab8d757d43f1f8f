import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Micros } from "@reelay/contracts/Quantity"
import fc from "fast-check"
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { overlayFilters } from "../src/AssScript.ts"
import { literal, shown } from "../src/AssText.ts"
import { drawingOf } from "../src/OverlayTimeline.ts"
import { sectionsOf } from "../src/Sections.ts"
import { bounds, drawn, drawnOn } from "./Drawn.ts"

const RATE = { num: 25, den: 1 }
const SIZE = { width: 640, height: 120 }

/** What libass makes of an event's text, from its source (ass_parse.c): null where it would see a command or a break. */
const readBack = (text: string): string | null => {
  let all = ""
  for (let i = 0; i < text.length; i++) {
    const [sign, next] = [text[i] ?? "", text[i + 1] ?? ""]
    if (sign === "\n" || sign === "\r" || sign === "\0") return null
    if (sign === "{") return null
    if (sign === "\\" && /[Nnh]/u.test(next)) return null
    if (sign === "\\" && /[{}]/u.test(next)) {
      all += next
      i++
    } else all += sign
  }
  return all
}

const ATTACKS = [
  "{\\p1}m 0 0 l 9999 0 9999 9999 0 9999{\\p0}",
  "{\\pos(0,0)\\fs900}X",
  "\\{\\fs900\\}X",
  "\\\\{\\fs900}X",
  "a\\Nb\\nc\\hd\\",
  "}{\\an9}{",
  "one\r\nDialogue: 9,0:00:00.00,9:00:00.00,Text,,0,0,0,,{\\fs900}two",
  "[Events]\n[Fonts]\nfontname: x.ttf",
  "a'b\"c:d,e;f[g]h=i\\j",
  "%{pts}%{metadata\\:x}${HOME}`id`$(id)",
  "movie=/etc/passwd,textfile=/etc/passwd:file=/etc/passwd",
  "\u202egnp.exe\u202c \u2066x\u2069",
  "nul\0 bell\u0007 esc\u001b[31m del\u007f",
  "half \ud83d a pair \udc00",
  "\u2028line\u2029paragraph\u0085next\vtab\f"
]

describe("text that people wrote", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-text-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const scriptsOf = (text: string) => {
    const overlay = {
      type: "text",
      text,
      start: 0.04,
      end: 0.12,
      x: 0.02,
      y: 0.2,
      size: 0.2,
      color: "#ffffff"
    } as const
    const section =
      sectionsOf({ start: Micros.make(0), end: Micros.make(1_000_000), speed: [] }, RATE)[0] ?? assert.fail()
    return drawingOf({ name: text, overlays: [overlay] }, "overlay", SIZE, RATE).scripts(section, 0, 5)
  }

  it("is read by libass letter by letter", () => {
    const sign = fc.oneof(
      fc.constantFrom(..."\\{}Nnhp1(),&:;'[]\n\r\0\u202e\u2060"),
      fc.string({ unit: "binary", maxLength: 2 })
    )
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 30 }), (signs) => {
        const text = signs.join("")
        // The joiner has no width, whoever wrote it.
        const seen = (of: string | null) => of?.replaceAll("\u2060", "")
        assert.strictEqual(seen(readBack(literal(text))), seen(shown(text).replaceAll("\n", " ")))
      }),
      { numRuns: 2000 }
    )
  })

  for (const attack of ATTACKS) {
    it(`is what is drawn, and nothing else happens: ${JSON.stringify(attack).slice(0, 60)}`, async () => {
      const scripts = scriptsOf(attack)
      // However much it looks like a script, it is one event in one line for each.
      assert.strictEqual(scripts[0]?.text.match(/^Dialogue: /gmu)?.length, 1)
      assert.strictEqual(scripts[0]?.text.match(/^\[/gmu)?.length, 3)
      assert.isTrue(scripts[0]?.text.isWellFormed())
      const { frames } = await drawn(folder, scripts, { frames: 5, rate: RATE, size: SIZE })
      assert.deepStrictEqual(drawnOn(frames), [1, 2])
      const box = bounds(frames[1] ?? assert.fail()) ?? assert.fail()
      const lines = shown(attack).split("\n").length
      // In the size and at the place that were asked for.
      assert.isAtLeast(box.left, 0.02 * 640 - 3)
      assert.isAtLeast(box.top, 0.2 * 120 - 3)
      assert.isAtMost(box.bottom, Math.min(120, 0.2 * 120 + lines * 0.2 * 120 + 4))
    })
  }

  it("is not in the graph, which names a file of ours, whatever its folder is called", async () => {
    const odd = `${folder}/it's: a, "b"; [c] = d\\e %{f} \\' é\n end `
    await mkdir(odd)
    const { frames } = await drawn(odd, scriptsOf("hello"), { frames: 5, rate: RATE, size: SIZE })
    assert.deepStrictEqual(drawnOn(frames), [1, 2])
    assert.deepStrictEqual(
      overlayFilters([{ text: "/x/overlay.ass", chroma: null }], { num: 30_000, den: 1001 }, "Over"),
      [
        "setparams=range=tv:colorspace=smpte170m",
        "settb=1/1000",
        "setpts=(N+36000)*100+1",
        "ass=filename=/x/overlay.ass",
        "settb=1001/30000",
        "setpts=N",
        "setparams=range=tv:colorspace=bt709"
      ]
    )
    assert.deepStrictEqual(overlayFilters([], RATE, "Over"), [])
  })
})
