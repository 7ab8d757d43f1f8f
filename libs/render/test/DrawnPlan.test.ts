import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Overlay, Transition } from "@reelay/contracts/Edits"
import { Digest, ImageId } from "@reelay/contracts/Ids"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { type Plane, planesOf, resampled, similarity } from "./Reference.ts"
import { type Rgba, writePng } from "./Png.ts"
import { runPlan } from "./RunPlan.ts"
import { type ClipSketch, planOf, specOf } from "./Specs.ts"

/** Overlays in finished files: the same frames, whatever chunk, dissolve or panel they end up in. */
describe("a finished file", () => {
  let folder = ""
  let source: Ingested
  const SIZE = { width: 96, height: 64 }
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-drawn-`)
    const path = `${folder}/grey.mp4`
    const made = ["-v", "error", "-f", "lavfi", "-i", "color=0x404040:s=96x64:r=25:d=13"]
    const color = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    await execa("ffmpeg", [...made, "-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", ...color, path])
    source = await ingest(path)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const text = (start: number, end: number, x = 0.5): Overlay => ({
    type: "text",
    text: "█",
    start,
    end,
    x,
    y: 0.25,
    size: 0.5,
    color: "#ffffff"
  })
  type Sketch = ClipSketch & {
    readonly overlays?: ReadonlyArray<Overlay>
    readonly transition?: Transition
  }
  const specFor = (clips: ReadonlyArray<Sketch>, type: RenderSpec["type"]): RenderSpec => {
    const spec = specOf([source], clips, { ...SIZE, sound: false })
    return {
      ...spec,
      type,
      clips: spec.clips.map((clip, i) => ({
        ...clip,
        overlays: clips[i]?.overlays ?? [],
        transition: clips[i]?.transition ?? clip.transition
      }))
    }
  }
  const made = async (spec: RenderSpec, name: string): Promise<ReadonlyArray<Plane>> => {
    const [plan, image] = [planOf(spec, [source]), (id: string) => `${folder}/${id}.png`]
    const { outputs } = await runPlan(plan, [source.path], `${folder}/${name}`, "all", image)
    return planesOf(outputs[0]?.path ?? "", SIZE.width, SIZE.height)
  }
  const at = (plane: Plane | undefined, x: number, y: number): number => plane?.pixels[y * SIZE.width + x] ?? 0
  const bright = (planes: ReadonlyArray<Plane>, x: number, y: number): ReadonlyArray<number> =>
    planes.flatMap((plane, n) => (at(plane, x, y) > 200 ? [n] : []))
  const counted = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

  it("shows a text in exactly its frames, across chunks", async () => {
    const spec = specFor([{ start: 0, end: 12.4, overlays: [text(5.6, 6.5)] }], "overlay")
    const plan = planOf(spec, [source])
    assert.isAtLeast(plan.tasks.filter(({ work }) => work._tag === "chunk").length, 2)
    assert.deepStrictEqual(bright(await made(spec, "chunks"), 58, 32), counted(140, 163))
  }, 60_000)

  it("shows an image in exactly its frames, across chunks, as plain arithmetic would", async () => {
    const imageId = ImageId.make("0198c9a0-0000-7000-8000-000000000002")
    const [width, height] = [80, 60]
    // A disk whose colours run from orange to blue, half transparent at its rim.
    const pixel = (x: number, y: number): Rgba => {
      const far = Math.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5) * 2
      return [255 - 3 * x, 128, 3 * x, far < 0.7 ? 255 : far < 1 ? 128 : 0]
    }
    await writePng(`${folder}/${imageId}.png`, width, height, pixel)
    const overlay = {
      type: "image",
      imageId,
      start: 5.6,
      end: 6.5,
      x: 0.25,
      y: 0.125,
      width: 0.5,
      opacity: 0.8
    } as const
    const spec = {
      ...specFor([{ start: 0, end: 12.4, overlays: [overlay] }], "overlay"),
      images: [{ imageId, sha256: Digest.make("0".repeat(64)), object: "image", bytes: 1, width, height }]
    }
    const planes = await made(spec, "image")

    const plane = (value: (color: Rgba) => number): Plane => {
      const pixels = Float32Array.from({ length: width * height }, (_, i) =>
        value(pixel(i % width, Math.floor(i / width)))
      )
      return resampled({ width, height, pixels }, { x: 0, y: 0, width, height }, 48, 36)
    }
    const alpha = plane(([, , , a]) => a / 255)
    const light = plane(([r, g, b, a]) => ((0.2126 * r + 0.7152 * g + 0.0722 * b) * a) / 255)
    const ground = planes[0] ?? assert.fail()
    const expected = { ...ground, pixels: ground.pixels.slice() }
    for (let y = 0; y < 36; y++) {
      for (let x = 0; x < 48; x++) {
        const [at, from] = [(y + 8) * SIZE.width + x + 24, y * 48 + x]
        const [a = 0, l = 0] = [alpha.pixels[from], light.pixels[from]]
        expected.pixels[at] = (ground.pixels[at] ?? 0) * (1 - 0.8 * a) + 0.8 * l
      }
    }
    const differs = planes.flatMap((one, n) => (similarity(one, ground) < 0.95 ? [n] : []))
    assert.deepStrictEqual(differs, counted(140, 163))
    for (const n of differs) assert.isAtLeast(similarity(planes[n] ?? assert.fail(), expected), 0.98, `frame ${n}`)
  }, 60_000)

  it("changes the keys of the chunks that show it, and of no others", () => {
    const keys = (overlays: ReadonlyArray<Overlay>) =>
      planOf(specFor([{ start: 0, end: 12.4, overlays }], "overlay"), [source]).tasks.flatMap(({ key, work }) =>
        work._tag === "chunk" ? [key] : []
      )
    const [first, second] = keys([])
    assert.deepStrictEqual(keys([text(7, 8)])[0], first)
    assert.notStrictEqual(keys([text(7, 8)])[1], second)
    assert.deepStrictEqual(keys([text(1, 2)])[1], second)
    assert.deepStrictEqual(keys([text(20, 21)]), [first, second])
  })

  it("leaves overlays away where only the framing is asked for", async () => {
    const spec = specFor([{ start: 0, end: 0.4, overlays: [text(0, 1)] }], "framing")
    assert.deepStrictEqual(bright(await made(spec, "framing"), 58, 32), [])
  })

  it("carries each clip's overlays through a dissolve", async () => {
    const clips = [
      {
        start: 0,
        end: 1,
        overlays: [text(0, 1, 0)],
        transition: { type: "dissolve", duration: 0.4 } as const
      },
      { start: 2, end: 3, overlays: [text(2, 3, 0.5)] }
    ]
    const planes = await made(specFor(clips, "overlay"), "dissolve")
    assert.strictEqual(planes.length, 40)
    const [left, right] = [planes.map((plane) => at(plane, 12, 32)), planes.map((plane) => at(plane, 58, 32))]
    assert.isTrue((left[14] ?? 0) > 200 && (right[14] ?? 0) < 90)
    assert.isTrue((left[25] ?? 0) < 90 && (right[25] ?? 0) > 200)
    for (let n = 15; n < 25; n++) {
      const part = (n - 14) / 11
      assert.closeTo(right[n] ?? 0, 64 + (255 - 64) * part, 12)
      assert.closeTo(left[n] ?? 0, 255 - (255 - 64) * part, 12)
    }
  })

  it("carries each clip's images and highlights through a dissolve too, each of both from its own input", async () => {
    const images = [255, 160].map((light, i) => ({
      imageId: ImageId.make(`0198c9a0-0000-7000-8000-00000000001${i}`),
      sha256: Digest.make(`${i}`.repeat(64)),
      object: "image",
      bytes: 1,
      width: 8,
      height: 8,
      light
    }))
    for (const { imageId, light } of images) {
      await writePng(`${folder}/${imageId}.png`, 8, 8, () => [light, light, light, 255])
    }
    const over = (n: number, start: number, x: number): Overlay => {
      const { imageId } = images[n] ?? assert.fail()
      return { type: "image", imageId, start, end: start + 1, x, y: 0.25, width: 0.25 }
    }
    const shade = {
      type: "highlight",
      shape: "rectangle",
      keyframes: [{ time: 0, x: 0, y: 0, width: 0.5, height: 1 }]
    } as const
    const clips = [
      {
        start: 0,
        end: 1,
        overlays: [over(0, 0, 0), over(1, 0, 0.25)],
        transition: { type: "dissolve", duration: 0.4 } as const
      },
      { start: 2, end: 3, overlays: [shade, over(0, 2, 0.25)] }
    ]
    const planes = await made({ ...specFor(clips, "overlay"), images }, "images")
    assert.strictEqual(planes.length, 40)
    const seen = (n: number) => [12, 36, 84].map((x) => Math.round(at(planes[n], x, 28)))
    const close = (n: number, expected: ReadonlyArray<number>) => {
      for (const [i, value] of seen(n).entries())
        assert.closeTo(value, expected[i] ?? 0, 12, `frame ${n}: ${seen(n).join()}`)
    }
    // The ground is 64; dimmed to two fifths of that.
    const [before, after] = [
      [255, 160, 64],
      [64, 255, 26]
    ]
    close(14, before)
    close(25, after)
    for (let n = 15; n < 25; n++) {
      close(
        n,
        before.map((value, i) => value + ((after[i] ?? 0) - value) * ((n - 14) / 11))
      )
    }
  })

  it("has source and result in it, and draws over the result alone", async () => {
    const planes = await made(specFor([{ start: 0, end: 0.4, overlays: [text(0, 1, 0.6)] }], "before_after"), "beside")
    assert.strictEqual(planes.length, 10)
    // Two pictures of 48 × 32, from the 16th line on; a block from 0.6 of the result's width on.
    assert.closeTo(at(planes[5], 40, 40), 64, 8)
    assert.isAbove(at(planes[5], 48 + 32, 32), 200)
    assert.isBelow(at(planes[5], 32, 32), 120)
    assert.isBelow(at(planes[5], 20, 60), 8)
  })

  it("has both on either side of a dissolve too, and where it runs fast", async () => {
    const clips = [
      { start: 0, end: 1, transition: { type: "dissolve", duration: 0.4 } as const },
      { start: 2, end: 4, speed: [{ start: 2, end: 4, rate: 2 }], overlays: [text(2.8, 3.2, 0.6)] }
    ]
    const planes = await made(specFor(clips, "before_after"), "both")
    assert.strictEqual(planes.length, 40)
    // 0.4 s of its second clip, at twice its speed: five frames, the tenth of the clip on, which begins with the 15th.
    assert.deepStrictEqual(bright(planes, 48 + 32, 32), counted(25, 30))
  })

  it("has a clip's name on it", async () => {
    const planes = await made(specFor([{ start: 0, end: 0.4, name: "{\\p1}%{pts}:'" }], "annotate"), "name")
    assert.isBelow(Math.min(...(planes[5]?.pixels.subarray(0, 96 * 10) ?? [])), 50)
    assert.isAbove(Math.max(...(planes[5]?.pixels.subarray(0, 96 * 12) ?? [])), 120)
  })
})
