import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Crop } from "@reelay/contracts/Edits"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { framingOf, SUBPIXELS } from "../src/Crop.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { type Plane, planesOf, type Rectangle, resampled, similarity } from "./Reference.ts"
import { runPlan } from "./RunPlan.ts"
import { media, planOf, specOf } from "./Specs.ts"

const keyframe = (time: number, x: number, y: number, width: number, height: number) => ({ time, x, y, width, height })

describe("framing", () => {
  const picture = media(1920, 1080).picture
  const output = { width: 720, height: 1280 }
  const seconds = (count: number) => Array.from({ length: count }, (_, n) => n / 25)

  it("of a window that does not move is whole pixels, even ones, of the output's shape", () => {
    const crop = { keyframes: [keyframe(0, 0.3, 0, 0.4, 1), keyframe(5, 0.3, 0, 0.4, 1)] }
    // 768 × 1080 narrowed to 9:16 about its middle.
    assert.deepStrictEqual(framingOf(crop, picture, output, seconds(100)), {
      _tag: "still",
      x: 656,
      y: 0,
      width: 608,
      height: 1080
    })
  })

  it("is a path of few pieces that stays near every window, and within the frame", () => {
    const fraction = fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000)
    const keyframes = fc
      .array(
        fc.record({
          x: fraction,
          y: fraction,
          width: fraction,
          height: fraction,
          gap: fc.integer({ min: 1, max: 30 })
        }),
        {
          minLength: 1,
          maxLength: 40
        }
      )
      .map((all) => {
        let time = 0
        return all.map(({ gap, height, width, x, y }) => {
          time += gap / 20
          const [wide, high] = [0.05 + 0.9 * width, 0.05 + 0.9 * height]
          return keyframe(time, x * (1 - wide), y * (1 - high), wide, high)
        })
      })
    fc.assert(
      fc.property(keyframes, fc.constantFrom("linear" as const, "smooth" as const), (keyframes, interpolation) => {
        const times = seconds(200)
        const framing = framingOf({ keyframes, interpolation }, picture, output, times)
        if (framing._tag === "still") return
        for (const { height, width, x, y } of framing.path) {
          assert.isAtLeast(Math.min(x, y), 0)
          assert.isAtMost(x + width, 1920 * SUBPIXELS + 1)
          assert.isAtMost(y + height, 1080 * SUBPIXELS + 1)
          assert.closeTo(width / height, 9 / 16, 0.001)
          assert.isAtMost(width / SUBPIXELS, framing.box.width)
        }
        assert.isAtMost(framing.path.length, 200)
      }),
      { numRuns: 50 }
    )
    // Three hundred keyframes on two lines need three.
    const many = Array.from({ length: 300 }, (_, i) => keyframe(i / 50, 0.2 + Math.min(i, 150) / 1000, 0, 0.3, 0.9))
    const framing = framingOf({ keyframes: many }, picture, output, seconds(150))
    assert.strictEqual(framing._tag === "moving" ? framing.path.length : 0, 3)
  })
})

/** Where the window is at a time, straight from the definition; fractions. */
const windowAt = (crop: Crop, time: number): Rectangle => {
  const after = crop.keyframes.findIndex((key) => key.time > time)
  const to = crop.keyframes.at(after)
  const from = crop.keyframes[after - 1]
  if (after === 0 || to === undefined || from === undefined || after < 0) {
    return (after === 0 ? crop.keyframes[0] : crop.keyframes.at(-1)) ?? assert.fail()
  }
  const part = (time - from.time) / (to.time - from.time)
  const mix = (a: number, b: number) => a + (b - a) * part
  return {
    x: mix(from.x, to.x),
    y: mix(from.y, to.y),
    width: mix(from.width, to.width),
    height: mix(from.height, to.height)
  }
}

describe("a crop shows", () => {
  let folder = ""
  let source: Ingested
  const [WIDTH, HEIGHT] = [640, 360]
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-crop-`)
    const path = `${folder}/source.mp4`
    const filters = `testsrc2=s=${WIDTH}x${HEIGHT}:r=25:d=4,gblur=sigma=1.2`
    const args = ["-v", "error", "-f", "lavfi", "-i", filters, "-c:v", "libx264", "-crf", "10", "-preset", "veryfast"]
    const color = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    await execa("ffmpeg", [...args, "-pix_fmt", "yuv420p", "-bf", "0", ...color, path])
    source = await ingest(path)
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** The least similarity of any frame of a crop to its reference. */
  const worst = async (crop: Crop, size: { readonly width: number; readonly height: number }, name: string) => {
    const target = { ...size, frameRate: { num: 25, den: 1 }, mode: "balanced", quality: "high", sound: false } as const
    const spec = specOf([source], [{ start: 0.4, end: 2.4, crop }], target)
    const { outputs } = await runPlan(planOf(spec, [source]), [source.path], `${folder}/${name}`)
    const shown = await planesOf(outputs[0]?.path ?? "", size.width, size.height)
    const frames = await planesOf(source.path, WIDTH, HEIGHT)
    assert.strictEqual(shown.length, 50)
    return Math.min(
      ...shown.map((plane, n) => {
        const { height, width, x, y } = windowAt(crop, 0.4 + n / 25)
        // Narrowed to the output's shape about its middle.
        const [wide, high] = [width * WIDTH, height * HEIGHT]
        const shape = size.width / size.height
        const [w, h] = wide / high > shape ? [high * shape, high] : [wide, wide / shape]
        const window = { x: x * WIDTH + (wide - w) / 2, y: y * HEIGHT + (high - h) / 2, width: w, height: h }
        return similarity(plane, resampled(frames[10 + n] ?? assert.fail(), window, size.width, size.height))
      })
    )
  }

  const portrait = { width: 180, height: 320 }
  const landscape = { width: 320, height: 180 }
  const CASES: Record<string, readonly [Crop, { readonly width: number; readonly height: number }]> = {
    "a window that stands still": [{ keyframes: [keyframe(0, 0.25, 0, 0.5, 1)] }, portrait],
    "a window that pans": [
      { keyframes: [keyframe(0.5, 0.1, 0, 0.4, 1), keyframe(1.5, 0.51, 0, 0.4, 1), keyframe(3, 0.4, 0, 0.4, 1)] },
      portrait
    ],
    "a window that creeps by a tenth of a pixel a frame": [
      { keyframes: [keyframe(0, 0.2, 0.2, 0.5, 0.5), keyframe(4, 0.215, 0.2, 0.5, 0.5)] },
      landscape
    ],
    "a window that closes in": [
      { keyframes: [keyframe(0.4, 0, 0, 1, 1), keyframe(2.4, 0.55, 0.3, 0.3, 0.3)] },
      landscape
    ]
  }
  for (const [name, [crop, size]] of Object.entries(CASES)) {
    it(`${name}`, async () => {
      const least = await worst(crop, size, name.replaceAll(" ", "-"))
      assert.isAtLeast(least, 0.98)
    })
  }

  it.each(["pad", "blur"] as const)(
    "all of a picture, in the middle of an output of another shape: %s",
    async (fit) => {
      const target = {
        width: 180,
        height: 320,
        fit,
        frameRate: { num: 25, den: 1 },
        mode: "balanced",
        quality: "high",
        sound: false
      } as const
      const spec = specOf([source], [{ start: 0, end: 0.4 }], target)
      const { outputs } = await runPlan(planOf(spec, [source]), [source.path], `${folder}/${fit}`)
      const shown = await planesOf(outputs[0]?.path ?? "", 180, 320)
      const frames = await planesOf(source.path, WIDTH, HEIGHT)
      const band = (plane: Plane, from: number, to: number): Plane => ({
        width: plane.width,
        height: to - from,
        pixels: plane.pixels.subarray(from * plane.width, to * plane.width)
      })
      for (const [n, plane] of shown.entries()) {
        // 180 × 101¼, made even and put on an even line: 102 lines from the 108th on.
        const whole = resampled(frames[n] ?? assert.fail(), { x: 0, y: 0, width: WIDTH, height: HEIGHT }, 180, 102)
        assert.isAtLeast(similarity(band(plane, 108, 210), whole), 0.98)
        const above = band(plane, 0, 100).pixels
        const mean = above.reduce((sum, pixel) => sum + pixel, 0) / above.length
        const roughness =
          above.reduce((sum, pixel, i) => sum + Math.abs(pixel - (above[i + 1] ?? pixel)), 0) / above.length
        if (fit === "pad") assert.closeTo(mean, 0, 1)
        else {
          assert.isAbove(mean, 40)
          assert.isBelow(roughness, 3)
        }
      }
    }
  )
})
