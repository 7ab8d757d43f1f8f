import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Rational } from "@reelay/contracts/Quantity"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { model } from "./Model.ts"
import { readNumbers } from "./Numbered.ts"
import { makeTask } from "./RunPlan.ts"
import { H264, makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf, unfolded } from "./Specs.ts"

/**
 * What is in the frames, not only how many there are: sources whose frames carry their number go through compiled
 * chunks, and every frame of the result is compared with a model that knows nothing of ffmpeg.
 */
const JITTER = "N*3600+mod(N*7919\\,2400)"
const OPEN_GOP = [...H264, "-g", "40", "-x264-params", "open-gop=1:bframes=3"]
const SOURCES: Record<string, SourceRecipe> = {
  "a constant rate": { extension: "mp4", frames: 350 },
  "a variable rate": { extension: "mp4", frames: 350, pts: JITTER },
  "a variable rate in Matroska, which counts milliseconds": { extension: "mkv", frames: 350, pts: JITTER },
  "a hole of six seconds": { extension: "mp4", frames: 220, pts: "N*3600+if(gte(N\\,100)\\,540000\\,0)" },
  "a late start": {
    extension: "mp4",
    frames: 350,
    pts: "N*3600+180000",
    sound: ["-f", "lavfi", "-i", "sine=d=16"]
  },
  "an edit list that hides frames": { extension: "mov", frames: 360, copiedFrom: 0.4 },
  "open GOPs": { extension: "mkv", frames: 350, codec: OPEN_GOP },
  "open GOPs in HEVC, whose leading pictures cannot be shown after a seek": {
    extension: "mp4",
    frames: 350,
    codec: ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=40:open-gop=1:bframes=3"]
  },
  "MP4 in fragments": { extension: "mp4", frames: 350, output: ["-movflags", "frag_keyframe+empty_moov"] },
  "Matroska without an index": { extension: "mkv", frames: 350, output: ["-live", "1"] },
  "a transport stream": { extension: "ts", frames: 350, sound: ["-f", "lavfi", "-i", "sine=d=14"] },
  "a transport stream with open GOPs": { extension: "ts", frames: 350, codec: OPEN_GOP },
  // Its times come out negative: 33 bits of 90 kHz end after 26.5 hours, here two seconds in.
  "a transport stream whose clock wraps": {
    extension: "ts",
    frames: 350,
    sound: ["-f", "lavfi", "-i", "sine=d=14"],
    output: ["-output_ts_offset", "95441.7", "-muxdelay", "0", "-muxpreload", "0"]
  },
  "59.94 frames a second": { extension: "mov", frames: 800, rate: "60000/1001", codec: [...H264, "-g", "120"] },
  "AVI, which counts in frames": { extension: "avi", frames: 350, codec: ["-c:v", "mpeg4", "-q:v", "2", "-g", "30"] },
  "ten frames a second, an odd size, 4:4:4": {
    extension: "mkv",
    frames: 140,
    rate: "10",
    width: 97,
    height: 65,
    codec: ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-pix_fmt", "yuv444p"]
  },
  "a last frame of ten seconds": { extension: "mkv", frames: 100, pts: "N*3600+if(gte(N\\,99)\\,900000\\,0)" }
}

/** Output rate, and which part of the source: all of it, most of it from between two frames, a bit of its middle. */
const CUTS: ReadonlyArray<{ readonly rate: Rational; readonly cut: (seconds: number) => readonly [number, number] }> = [
  { rate: { num: 25, den: 1 }, cut: (seconds) => [0, seconds] },
  { rate: { num: 30000, den: 1001 }, cut: (seconds) => [1.234567, seconds - 0.017] },
  { rate: { num: 60, den: 1 }, cut: (seconds) => [seconds / 2 + 0.0133, seconds / 2 + 1.6] }
]

describe("every frame of a clip shows what it must, from", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-content-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Source and shown frames of every chunk of a clip, put together. */
  const shownBy = async (source: Ingested, start: number, end: number, rate: Rational) => {
    const spec = specOf([source], [{ start, end }], { frameRate: rate, sound: false })
    const plan = unfolded(planOf(spec, [source]))
    const chunks = plan.tasks.filter((task) => task.work._tag === "chunk")
    const shown = await Promise.all(
      chunks.map(async (task) => {
        const [made] = await makeTask(plan, task, [source.path], folder, new Map())
        return readNumbers(made?.path ?? "", 96, 64)
      })
    )
    const [clip] = spec.clips
    return { shown: shown.flat(), expected: model(source.index, clip?.start ?? 0, clip?.frames ?? 0, rate) }
  }

  for (const [position, [name, recipe]] of Object.entries(SOURCES).entries()) {
    it(`${name}`, async () => {
      const source = await ingest(await makeSource(folder, name.replaceAll(/\W+/g, "-"), recipe))
      const first = 25 * (recipe.copiedFrom ?? 0)
      // All of it, and one of the others in turn: other rates and cuts are where random films are.
      for (const { rate, cut } of CUTS.filter((_, i) => i !== 1 + (position % 2))) {
        const [start, end] = cut(source.media.picture.duration / 1e6)
        const { shown, expected } = await shownBy(source, start, end, rate)
        assert.deepStrictEqual(
          shown,
          expected.map((n) => n + first),
          `${start}–${end} at ${rate.num}/${rate.den}`
        )
      }
    })
  }

  it("59.94 frames a second at 29.97, where every second frame is a tie", async () => {
    const recipe = { extension: "mp4", frames: 240, rate: "60000/1001" } as const
    const source = await ingest(await makeSource(folder, "ties", recipe))
    const { shown, expected } = await shownBy(source, 0, 4, { num: 30000, den: 1001 })
    assert.deepStrictEqual(expected.slice(0, 5), [0, 2, 4, 6, 8])
    assert.deepStrictEqual(shown, expected)
  })

  it("a stream that changes its size on the way", async () => {
    // MPEG-2, because at such a change H.264 decoders drop the pictures that wait for their turn.
    const part = { extension: "ts", frames: 100, codec: ["-c:v", "mpeg2video", "-q:v", "2", "-g", "25"] } as const
    const parts = [
      await makeSource(folder, "small", part),
      await makeSource(folder, "large", {
        ...part,
        first: 100,
        width: 192,
        height: 128,
        output: ["-output_ts_offset", "4"]
      })
    ]
    const path = `${folder}/resized.ts`
    await writeFile(path, Buffer.concat(await Promise.all(parts.map((part) => readFile(part)))))
    const source = await ingest(path)
    for (const [start, end] of [
      [0, 8],
      [3.5, 6.1]
    ] as const) {
      const { shown, expected } = await shownBy(source, start, end, { num: 30, den: 1 })
      assert.deepStrictEqual(shown, expected)
    }
  })

  it("a last frame that is over sooner than planned", async () => {
    // It comes 21 ms after the one before, and the container says that it lasts as long: on a grid of 40 ms, not at all.
    const recipe = { extension: "mp4", frames: 100, pts: "N*3600-if(eq(N\\,99)\\,1700\\,0)" } as const
    const source = await ingest(await makeSource(folder, "short-last", recipe))
    const { shown, expected } = await shownBy(source, 2, 4.2, { num: 25, den: 1 })
    assert.deepStrictEqual(expected.slice(-7), [98, 99, 99, 99, 99, 99, 99])
    assert.deepStrictEqual(shown, expected)
  })
})
