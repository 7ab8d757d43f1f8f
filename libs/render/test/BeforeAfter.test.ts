import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { overlayFilters } from "../src/AssScript.ts"
import { beforeAfter, beforeAfterFilters, beforeAfterLabels } from "../src/BeforeAfter.ts"
import { type Plane, planesOf, type Rectangle, resampled, similarity } from "./Reference.ts"

const RATE = { num: 25, den: 1 }

describe("before and after", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-before-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it("are side by side, or one above the other where they are larger so", () => {
    assert.deepStrictEqual(beforeAfter({ width: 1920, height: 1080 }, { width: 1280, height: 720 }), {
      arrangement: "hstack",
      size: { width: 640, height: 360 },
      before: { at: { x: 0, y: 0, width: 640, height: 720 }, picture: { x: 0, y: 180, width: 640, height: 360 } },
      after: { at: { x: 640, y: 0, width: 640, height: 720 }, picture: { x: 0, y: 180, width: 640, height: 360 } }
    })
    assert.deepStrictEqual(beforeAfter({ width: 1920, height: 1080 }, { width: 720, height: 1280 }), {
      arrangement: "vstack",
      size: { width: 360, height: 640 },
      before: { at: { x: 0, y: 0, width: 720, height: 640 }, picture: { x: 0, y: 116, width: 720, height: 406 } },
      after: { at: { x: 0, y: 640, width: 720, height: 640 }, picture: { x: 180, y: 0, width: 360, height: 640 } }
    })
  })

  it("fill the output between them, in their own shapes, on even pixels", () => {
    const side = fc.integer({ min: 16, max: 4096 })
    const evenSide = fc.integer({ min: 16, max: 2048 }).map((half) => 2 * half)
    fc.assert(
      fc.property(side, side, evenSide, evenSide, (w, h, width, height) => {
        const { after, arrangement, before } = beforeAfter({ width: w, height: h }, { width, height })
        const area = ({ at }: { readonly at: Rectangle }) => at.width * at.height
        assert.strictEqual(area(before) + area(after), width * height)
        assert.deepStrictEqual(arrangement === "hstack" ? [after.at.x, 0] : [0, after.at.y], [after.at.x, after.at.y])
        for (const { at, picture } of [before, after]) {
          for (const value of [...Object.values(at), ...Object.values(picture)]) assert.strictEqual(value % 2, 0)
          assert.isTrue(picture.x + picture.width <= at.width && picture.y + picture.height <= at.height)
        }
        const { picture } = before
        const factor = Math.min(before.at.width / w, before.at.height / h)
        assert.isTrue(Math.abs(picture.width - w * factor) <= 2 && Math.abs(picture.height - h * factor) <= 2)
      })
    )
  })

  it("show the same frames, the source beside what became of it, each with its name", async () => {
    const source = `${folder}/source.mp4`
    const made = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=0.4,gblur=sigma=1.5"]
    await execa("ffmpeg", [...made, "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p", source])
    const size = { width: 320, height: 180 }
    const both = beforeAfter({ width: 320, height: 180 }, size)
    const scaled = ({ height, width }: Rectangle) => `scale=${width}:${height}`
    // The result: its middle half, twice as large, mirrored.
    const after = ["crop=160:90:80:44", "hflip", scaled(both.after.picture)]
    const chain = beforeAfterFilters(both, { before: [scaled(both.before.picture)], after })
    const labels = `${folder}/labels.ass`
    await writeFile(labels, beforeAfterLabels(both, size, 10).text)
    const draw = async (filters: ReadonlyArray<string>, name: string) => {
      await writeFile(`${folder}/graph`, `[0:v]${filters.join(",\n")}[v]\n`)
      const path = `${folder}/${name}.mp4`
      const run = ["-v", "error", "-i", source, "-filter_complex_script", `${folder}/graph`, "-map", "[v]"]
      await execa("ffmpeg", [...run, "-c:v", "libx264", "-crf", "8", "-pix_fmt", "yuv420p", path])
      return planesOf(path, 320, 180)
    }
    const shown = await draw([chain], "bare")
    const frames = await planesOf(source, 320, 180)
    assert.strictEqual(shown.length, 10)
    const mirrored = (plane: Plane): Plane => ({
      ...plane,
      pixels: plane.pixels.map((_, i) => {
        const x = i % plane.width
        return plane.pixels[i - x + plane.width - 1 - x] ?? 0
      })
    })
    for (const n of [0, 4, 9]) {
      const [plane, frame] = [shown[n] ?? assert.fail(), frames[n] ?? assert.fail()]
      const before = resampled(frame, { x: 0, y: 0, width: 320, height: 180 }, 160, 90)
      const result = mirrored(resampled(frame, { x: 80, y: 44, width: 160, height: 90 }, 160, 90))
      const inner = (x: number, y: number): Plane => resampled(plane, { x, y, width: 160, height: 90 }, 160, 90)
      assert.isAtLeast(similarity(inner(0, both.before.picture.y), before), 0.98)
      assert.isAtLeast(similarity(inner(160, both.after.picture.y), result), 0.98)
      assert.isBelow(Math.max(...plane.pixels.subarray(0, 320 * (both.before.picture.y - 3))), 4)
    }
    // Nothing but the left upper corners of both differs where they are named.
    const named = await draw([chain, ...overlayFilters([{ text: labels, chroma: null }], RATE, "Both")], "named")
    const [bare, written] = [shown[9] ?? assert.fail(), named[9] ?? assert.fail()]
    const changed = (x: number, width: number, y: number, height: number): number => {
      let count = 0
      for (let row = y; row < y + height; row++) {
        for (let column = x; column < x + width; column++) {
          const at = row * 320 + column
          if (Math.abs((bare.pixels[at] ?? 0) - (written.pixels[at] ?? 0)) > 24) count++
        }
      }
      return count
    }
    assert.isAbove(changed(0, 60, 45, 25), 50)
    assert.isAbove(changed(160, 60, 45, 25), 50)
    assert.strictEqual(changed(0, 320, 80, 100), 0)
    assert.strictEqual(named.length, 10)
  })
})
