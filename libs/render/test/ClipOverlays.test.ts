import { assert, describe, it } from "@effect/vitest"
import type { Overlay } from "@reelay/contracts/Edits"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { clipOverlays, drawnFacts } from "../src/ClipOverlays.ts"
import { sectionsOf } from "../src/Sections.ts"
import { media, specOf } from "./Specs.ts"

const text: Overlay = { type: "text", text: "{hello}", start: 1, end: 2, x: 0, y: 0, size: 0.1, color: "#ffffff" }

describe("what an export draws over a clip", () => {
  const drawn = (type: RenderSpec["type"]) => {
    const spec = specOf([{ media: media(1920, 1080) }], [{ name: "Take 3" }], { width: 720, height: 1280 })
    const [clip] = spec.clips
    if (clip === undefined) return assert.fail()
    const { beside, over } = clipOverlays({ ...spec, type }, { ...clip, overlays: [text] })
    const [section] = sectionsOf(clip, spec.target.frameRate)
    return { beside, over: (from: number, to: number) => over(section ?? assert.fail(), from, to) }
  }

  it("is nothing in one of its framing, and then no key says anything of it", () => {
    assert.deepStrictEqual(drawn("framing").over(0, 50), { highlights: null, images: [], picture: [], both: [] })
    assert.deepStrictEqual(drawnFacts(drawn("framing").over(0, 50)), {})
    assert.deepStrictEqual(drawnFacts(drawn("overlay").over(60, 90)), {})
  })

  it("is its overlays, or its name", () => {
    const [overlay, ...others] = drawn("overlay").over(0, 50).picture
    assert.include(overlay?.text, "\\{hello\\}")
    assert.deepStrictEqual(others, [])
    const { both, highlights, images, picture } = drawn("annotate").over(60, 90)
    assert.isNull(highlights)
    assert.deepStrictEqual([...images, ...both], [])
    assert.include(picture[0]?.text, "Take 3")
    assert.notInclude(picture[0]?.text, "hello")
    assert.deepStrictEqual(drawnFacts({ both, highlights, images, picture }), {
      drawn: [picture[0]?.text ?? assert.fail()]
    })
  })

  it("is its overlays over the result, and the names of both, beside its source", () => {
    const { beside, over } = drawn("before_after")
    assert.deepStrictEqual(beside?.size, { width: 360, height: 640 })
    const { both, picture } = over(0, 50)
    assert.include(picture[0]?.text, "PlayResX: 360\nPlayResY: 640\n")
    assert.include(both[0]?.text, "PlayResX: 720\nPlayResY: 1280\n")
    assert.match(both[0]?.text ?? "", /Before\n.*After\n/u)
    // Also where no overlay is shown a key tells it from one of the result alone.
    assert.deepStrictEqual(drawnFacts(over(60, 90)), { beside: [over(60, 90).both[0]?.text ?? assert.fail()] })
  })
})
