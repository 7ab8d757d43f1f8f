import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { generated } from "./Generated.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { planesOf } from "./Reference.ts"
import { H264, makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

/** How a stream says that it is HDR. */
const hdrTags = (transfer: string) =>
  `-colorspace bt2020nc -color_trc ${transfer} -color_primaries bt2020 -color_range tv`.split(" ")

/** Upright, in square pixels, in the right colours; picture and sound together. */
describe("a finished picture", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-picture-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const source = async (name: string, recipe: Partial<SourceRecipe>): Promise<Ingested> =>
    ingest(await makeSource(folder, name, { extension: "mp4", frames: 25, ...recipe }))

  const finished = async (from: Ingested, target: Parameters<typeof specOf>[2] = {}): Promise<string> => {
    const { outputs } = await runPlan(planOf(specOf([from], [{}], target), [from]), [from.path], folder, "outputs")
    return outputs[0]?.path ?? ""
  }
  const counted = Array.from({ length: 25 }, (_, n) => n)

  // Stored turned the other way, with the order to turn it back: upright if and only if the order was followed once.
  const TURNS = { 90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock" } as const
  for (const [degrees, filters] of Object.entries(TURNS)) {
    it(`is upright when the source says to turn it by ${degrees}°`, async () => {
      const from = await source(`turned-${degrees}`, { filters, turned: Number(degrees) })
      assert.strictEqual(from.media.picture.rotation, Number(degrees))
      assert.deepStrictEqual([from.media.picture.width, from.media.picture.height], [96, 64])
      assert.deepStrictEqual(await readNumbers(await finished(from), 96, 64), counted)
    })
  }

  it("has square pixels when the source's are not", async () => {
    const from = await source("anamorphic", { width: 72, height: 64, filters: "setsar=4/3" })
    assert.deepStrictEqual([from.media.picture.width, from.media.picture.height], [96, 64])
    assert.deepStrictEqual(await readNumbers(await finished(from), 96, 64), counted)
  })

  it("is larger than its source when that is asked for", async () => {
    const from = await source("small", {})
    assert.deepStrictEqual(await readNumbers(await finished(from, { width: 384, height: 256 }), 384, 256), counted)
  })

  /** The middle of the first frame as a player shows it that believes the tags: red, green, blue. */
  const shownColor = async (path: string): Promise<ReadonlyArray<number>> => {
    const { stdout } = await execa(
      "ffmpeg",
      [
        "-v",
        "error",
        "-i",
        path,
        "-frames:v",
        "1",
        "-vf",
        "crop=2:2,scale=in_color_matrix=bt709:flags=accurate_rnd,format=rgb24",
        "-f",
        "rawvideo",
        "pipe:1"
      ],
      { encoding: "buffer" }
    )
    return [...stdout.subarray(0, 3)]
  }

  const colorTags = async (path: string): Promise<string> => {
    const entries = "stream=color_space,color_range,color_primaries,color_transfer,pix_fmt"
    return (await execa("ffprobe", ["-v", "error", "-show_entries", entries, "-of", "csv=p=0", path])).stdout
  }

  // A saturated colour in which BT.601 and BT.709 are 20 levels apart.
  const COLOR = [192, 64, 32] as const
  const solid = async (name: string, width: number, height: number, matrix: string, codec: ReadonlyArray<string>) => {
    const path = `${folder}/${name}.mkv`
    await execa("ffmpeg", [
      "-v",
      "error",
      "-y",
      "-f",
      "lavfi",
      "-i",
      `color=c=0xC04020:s=${width}x${height}:r=25:d=0.4,format=rgb24`,
      "-vf",
      `scale=out_color_matrix=${matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p`,
      "-c:v",
      "libx264",
      "-preset",
      "ultrafast",
      "-qp",
      "4",
      ...codec,
      path
    ])
    return ingest(path)
  }
  const KINDS = [
    ["small and untagged: BT.601", 160, 120, "bt601", []],
    ["large and untagged: BT.709", 1280, 720, "bt709", []],
    ["small, tagged BT.709", 160, 120, "bt709", ["-colorspace", "bt709"]],
    ["large, tagged BT.601", 1280, 720, "bt601", ["-colorspace", "smpte170m"]]
  ] as const
  for (const [name, width, height, matrix, codec] of KINDS) {
    it(`has the colours of its source (${name})`, async () => {
      const from = await solid(name.replaceAll(/\W+/g, "-"), width, height, matrix, codec)
      const path = await finished(from)
      for (const [i, value] of (await shownColor(path)).entries()) assert.closeTo(value, COLOR[i] ?? 0, 6)
      assert.strictEqual(await colorTags(path), "yuv420p,tv,bt709,bt709,bt709")
    })
  }

  it("has the colours of an RGB source", async () => {
    const path = `${folder}/rgb.mkv`
    const input = ["-f", "lavfi", "-i", "color=c=0xC04020:s=160x120:r=25:d=0.4,format=rgb24"]
    await execa("ffmpeg", [
      "-v",
      "error",
      "-y",
      ...input,
      "-c:v",
      "libx264rgb",
      "-preset",
      "ultrafast",
      "-qp",
      "4",
      path
    ])
    for (const [i, value] of (await shownColor(await finished(await ingest(path)))).entries()) {
      assert.closeTo(value, COLOR[i] ?? 0, 6)
    }
  })

  for (const [transfer, white] of [
    // 203 cd/m², what a white sheet of paper has in HDR (ITU-R BT.2408): a little under SDR's white, so that brighter can be told.
    ["smpte2084", 0.58],
    ["arib-std-b67", 0.75]
  ] as const) {
    it(`is what an SDR screen can show when the source is HDR (${transfer})`, async () => {
      const path = `${folder}/${transfer}.mkv`
      const tags = hdrTags(transfer)
      // From left to right: black, a quarter of the signal, paper white, the brightest there is.
      const levels = [0, white / 2, white, 1].map((signal) => Math.round(64 + 876 * signal))
      const steps = levels.map((level, i) => `${level}*eq(floor(X/40),${i})`).join("+")
      const input = [
        "-f",
        "lavfi",
        "-i",
        `nullsrc=s=160x120:r=25:d=0.4,format=yuv420p10le,geq=lum='${steps}':cb=512:cr=512`
      ]
      await execa("ffmpeg", ["-v", "error", "-y", ...input, "-c:v", "libx264", "-qp", "0", ...tags, path])
      const source = await ingest(path)
      assert.strictEqual(source.media.picture.colorTransfer, transfer)
      const made = await finished(source, { width: 160, height: 120 })
      assert.strictEqual(await colorTags(made), "yuv420p,tv,bt709,bt709,bt709")
      const [frame] = await planesOf(made, 160, 120)
      const shown = [20, 60, 100, 140].map((x) => frame?.pixels[60 * 160 + x] ?? 0)
      const [black = 0, dark = 0, paper = 0, bright = 0] = shown
      assert.isAtMost(black, 6, String(shown))
      assert.isAbove(dark, black + 20, String(shown))
      assert.isAbove(paper, dark + 40, String(shown))
      assert.isAbove(bright, paper + 15, String(shown))
      assert.isAtMost(bright, 255)
    })
  }

  it.each(["smpte2084", "arib-std-b67"])(
    "goes from HDR (%s) to SDR as from one SDR picture to another",
    async (transfer) => {
      const flat = (luma: number, format: string) =>
        `nullsrc=s=96x64:r=25:d=1,format=${format},geq=lum=${luma}:cb=128:cr=128`
      const hdr = hdrTags(transfer)
      const lossless = ["-c:v", "libx264", "-qp", "0"]
      const bright = `${flat(150, "yuv420p")},format=yuv420p10le`
      const sources = await Promise.all([
        ingest(await generated("mkv", ["-f", "lavfi", "-i", bright, ...lossless, ...hdr])),
        ingest(await generated("mkv", ["-f", "lavfi", "-i", flat(40, "yuv420p"), ...lossless]))
      ])
      const transition = { type: "dissolve", duration: 0.4 } as const
      const clips = [{ transition }, { source: 1, transition }, {}]
      const paths = sources.map((source) => source.path)
      const own = `${folder}/hdr-${transfer}`
      const { outputs } = await runPlan(planOf(specOf(sources, clips), sources), paths, own, "outputs")
      const planes = await planesOf(outputs[0]?.path ?? "", 96, 64)
      const shown = planes.map(({ pixels }) => pixels.reduce((sum, pixel) => sum + pixel, 0) / pixels.length)
      assert.strictEqual(shown.length, 55)
      const [light = 0, dark = 0, again = 0] = [shown[5], shown[27], shown[50]]
      assert.isAbove(light, dark + 40)
      assert.closeTo(again, light, 1)
      for (let k = 0; k < 10; k++) {
        const part = (k + 1) / 11
        assert.closeTo(shown[15 + k] ?? 0, light + (dark - light) * part, 2, `frame ${15 + k}`)
        assert.closeTo(shown[30 + k] ?? 0, dark + (light - dark) * part, 2, `frame ${30 + k}`)
      }
    }
  )

  it("is made of whole frames when the source has fields", async () => {
    // Fifty pictures a second of a bar that moves four pixels each, woven in twos.
    const path = `${folder}/woven.mp4`
    const bar = "nullsrc=s=256x64:r=50:d=1,format=yuv420p,geq=lum='16+219*lt(abs(X-4*N-20),12)':cb=128:cr=128"
    const input = ["-f", "lavfi", "-i", `${bar},tinterlace=mode=interleave_top,setfield=tff`]
    const codec = [...H264, "-flags", "+ildct+ilme", "-x264-params", "tff=1"]
    await execa("ffmpeg", ["-v", "error", "-y", ...input, ...codec, path])
    const plain = await ingest(path)
    const { media } = plain
    const source = { ...plain, media: { ...media, picture: { ...media.picture, interlaced: true } } }
    const shown = await planesOf(await finished(source, { width: 256, height: 64 }), 256, 64)
    assert.strictEqual(shown.length, 25)
    for (const [n, { pixels }] of shown.entries()) {
      const line = (y: number) => pixels.subarray(256 * y, 256 * (y + 1))
      const apart = line(32).reduce((sum, pixel, x) => sum + Math.abs(pixel - (line(33)[x] ?? 0)), 0)
      // Woven, four pixels on both edges are white beside black.
      assert.isAtMost(apart, 4 * 255, `frame ${n}`)
      const bright = [...line(32).keys()].filter((x) => (line(32)[x] ?? 0) > 127)
      const middle = bright.reduce((sum, x) => sum + x, 0) / bright.length
      assert.closeTo(middle, 8 * n + 20, 5)
    }
  })
})
