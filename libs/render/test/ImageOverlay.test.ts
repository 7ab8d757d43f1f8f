import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { VideoId } from "@reelay/contracts/Ids"
import { execa } from "execa"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { imageFilters, imagePlace } from "../src/ImageOverlay.ts"
import { overlayRefusal } from "../src/OverlayLimits.ts"

const overlay = {
  type: "image",
  imageId: VideoId.make("0198c9a0-0000-7000-8000-000000000001"),
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

  it("is refused as long as nothing takes images in", () => {
    assert.strictEqual(overlayRefusal(overlay), "image overlays do not work yet")
  })

  it("is as wide as it says, in its own shape, on even pixels", () => {
    const place = imagePlace(overlay, { width: 300, height: 100 }, { width: 1280, height: 720 })
    assert.deepStrictEqual(place, { x: 320, y: 72, width: 256, height: 86 })
  })

  it("is shown by its frames alone, in its colours, through what it leaves transparent", async () => {
    // White, but for a transparent left half that is black where nobody sees it.
    const pixels = new Uint8Array(64 * 32 * 4)
    for (let i = 0; i < 64 * 32; i++) if (i % 64 >= 32) pixels.fill(255, 4 * i, 4 * i + 4)
    await writeFile(`${folder}/raw`, pixels)
    const raw = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgba", "-s", "64x32", "-i", `${folder}/raw`]
    await execa("ffmpeg", [...raw, "-frames:v", "1", "-update", "1", `${folder}/image.png`])
    const image = (opacity: number, from: number, to: number, x: number) => ({
      input: "1:v",
      place: { x, y: 20, width: 40, height: 20 },
      opacity,
      from,
      to
    })
    const shot = async (images: Parameters<typeof imageFilters>[0]) => {
      const filters = ["format=yuv420p", "lutyuv=y=126:u=128:v=128", ...imageFilters(images, "bt709"), "format=gray"]
      await writeFile(`${folder}/graph`, `[0:v]${filters.join(",\n")}[v]\n`)
      const inputs = ["-v", "error", "-f", "lavfi", "-i", "color=gray:s=160x90:r=25", "-i", `${folder}/image.png`]
      const run = [...inputs, "-filter_complex_script", `${folder}/graph`, "-map", "[v]", "-frames:v", "6"]
      const { stdout } = await execa("ffmpeg", [...run, "-f", "rawvideo", "pipe:1"], { encoding: "buffer" })
      return (n: number, x: number, y: number) => stdout[(n * 90 + y) * 160 + x] ?? 0
    }
    const at = await shot([image(1, 2, 4, 60)])
    const ground = at(0, 0, 0)
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5].map((n) => at(n, 90, 30) > 200),
      [false, false, true, true, false, false]
    )
    assert.isAbove(at(2, 98, 22), 240)
    for (const [x, y] of [
      [62, 30],
      [75, 30],
      [102, 30],
      [90, 18],
      [90, 42]
    ] as const) {
      assert.closeTo(at(2, x, y), ground, 2, `${x},${y}`)
    }
    // At the seam nothing is darker than the ground: the black of what is transparent has not come through.
    for (let x = 60; x < 100; x++) assert.isAtLeast(at(2, x, 30), ground - 6)
    const half = await shot([image(0.5, 0, 6, 60)])
    assert.closeTo(half(0, 90, 30), (255 + ground) / 2, 4)
  })
})
