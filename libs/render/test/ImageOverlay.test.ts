import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { ImageId } from "@reelay/contracts/Ids"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { imageFilters, imagePlace } from "../src/ImageOverlay.ts"
import { writePng } from "./Png.ts"

const overlay = {
  type: "image",
  imageId: ImageId.make("0198c9a0-0000-7000-8000-000000000001"),
  start: 0,
  end: 1,
  x: 0.25,
  y: 0.1,
  width: 0.2,
  opacity: 0.5
} as const

describe("an image over the picture", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-image-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it("is as wide as it says, in its own shape, on even pixels", () => {
    const place = imagePlace(overlay, { width: 300, height: 100 }, { width: 1280, height: 720 })
    assert.deepStrictEqual(place, { x: 320, y: 72, width: 256, height: 86, rows: 100 })
  })

  it("is never much larger than the picture, whatever its shape, and nowhere beyond the picture's edge", () => {
    const side = fc.integer({ min: 1, max: 4096 })
    const part = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(side, side, part, part, fc.double({ min: 1e-6, max: 1, noNaN: true }), (w, h, x, y, width) => {
        const output = { width: 1280, height: 720 }
        const place = imagePlace({ ...overlay, x, y, width }, { width: w, height: h }, output)
        if (place === null) return x > 0.99 || y > 0.99
        // A row of a very wide picture may be higher than what is left of the picture.
        const row = place.width / w
        return place.rows >= 1 && place.rows <= h && place.height <= output.height - place.y + row + 2
      })
    )
    assert.isNull(imagePlace({ ...overlay, x: 1 }, { width: 3, height: 2 }, { width: 1280, height: 720 }))
  })

  const shot = async (image: string, images: Parameters<typeof imageFilters>[0], pixels = "gray") => {
    const look = "scale=in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int"
    const bt709 = "setparams=range=tv:colorspace=bt709"
    const ground = ["format=yuv420p", "lutyuv=y=126:u=128:v=128"]
    const filters = [...ground, ...imageFilters(images, "bt709"), bt709, look, `format=${pixels}`]
    await writeFile(`${folder}/graph`, `[0:v]${filters.join(",\n")}[v]\n`)
    const inputs = ["-v", "error", "-f", "lavfi", "-i", "color=gray:s=160x90:r=25,trim=end_frame=6", "-i", image]
    const run = [...inputs, "-filter_complex_script", `${folder}/graph`, "-map", "[v]", "-frames:v", "9"]
    const raw = [...run, "-f", "rawvideo", "pipe:1"]
    const { stdout } = await execa("ffmpeg", raw, { encoding: "buffer", stripFinalNewline: false })
    // It ends with the picture: a frame that is missing must make the count wrong.
    assert.strictEqual(stdout.length, 6 * 160 * 90 * (pixels === "gray" ? 1 : 3))
    return stdout
  }
  const shown = (change: { opacity?: number; from?: number; to?: number } = {}) => ({
    input: "1:v",
    place: { x: 60, y: 20, width: 40, height: 20, rows: 32 },
    opacity: 1,
    from: 0,
    to: 6,
    ...change
  })

  it("is shown by its frames alone, through what it leaves transparent, without a dark fringe", async () => {
    // White, but for a transparent left half that is black where nobody sees it.
    const image = `${folder}/half.png`
    await writePng(image, 64, 32, (x) => (x < 32 ? [0, 0, 0, 0] : [255, 255, 255, 255]))
    const gray = async (...images: Parameters<typeof imageFilters>[0]) => {
      const bytes = await shot(image, images)
      return (n: number, x: number, y: number) => bytes[(n * 90 + y) * 160 + x] ?? 0
    }
    const at = await gray(shown({ from: 2, to: 4 }))
    const ground = at(0, 0, 0)
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5].map((n) => at(n, 90, 30) > 200),
      [false, false, true, true, false, false]
    )
    assert.isAbove(at(2, 98, 22), 250)
    for (const [x, y] of [
      [62, 30],
      [75, 30],
      [102, 30],
      [90, 18],
      [90, 42]
    ] as const) {
      assert.closeTo(at(2, x, y), ground, 2, `${x},${y}`)
    }
    for (let x = 60; x < 100; x++) assert.isAtLeast(at(2, x, 30), ground - 6)
    const half = await gray(shown({ opacity: 0.5 }))
    assert.closeTo(half(0, 90, 30), (255 + ground) / 2, 4)
  })

  it("has its colours", async () => {
    const colors = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 255],
      [128, 128, 128],
      [200, 120, 40]
    ] as const
    await writePng(`${folder}/colors.png`, 144, 32, (x) => [...(colors[Math.floor(x / 24)] ?? colors[0]), 255])
    const place = { x: 8, y: 20, width: 144, height: 32, rows: 32 }
    const bytes = await shot(`${folder}/colors.png`, [{ ...shown(), place }], "rgb24")
    for (const [n, color] of colors.entries()) {
      const at = 3 * (36 * 160 + 8 + 24 * n + 12)
      for (const [i, part] of color.entries()) assert.closeTo(bytes[at + i] ?? 0, part, 4, color.join())
    }
  })
})
