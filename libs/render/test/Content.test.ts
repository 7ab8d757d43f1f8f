import { assert, beforeAll, describe, it } from "@effect/vitest"
import type { FrameIndex } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { afterAll } from "vitest"
import { ingest, type Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { H264, makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

/**
 * What is in the frames, not only how many there are: sources whose frames carry their number go through compiled plans,
 * and every frame of the result is compared with a model that knows nothing of ffmpeg.
 */

/** The source frame shown at output frame n: the last whose time · R is below n + ½. Straight from the definition. */
const model = (index: FrameIndex, startMicros: number, frames: number, rate: Rational): ReadonlyArray<number> => {
  const zero = index.pts[0] ?? 0
  const shown = (pts: number, n: number): boolean => {
    // (pts − zero)·tb·R − start·R < n + ½, all denominators multiplied out.
    const left = BigInt(pts - zero) * BigInt(index.timeBase.num) * 1_000_000n - BigInt(startMicros) * BigInt(index.timeBase.den)
    const perFrame = 1_000_000n * BigInt(index.timeBase.den)
    return 2n * left * BigInt(rate.num) < BigInt(2 * n + 1) * perFrame * BigInt(rate.den)
  }
  return Array.from({ length: frames }, (_, n) => index.pts.findLastIndex((pts) => shown(pts, n)))
}

const JITTER = "(N*3600)+mod(N*7919\\,2400)"
const SOURCES: Record<string, SourceRecipe> = {
  "constant rate": { extension: "mp4", frames: 350 },
  "variable rate, jittered": { extension: "mp4", frames: 350, pts: JITTER },
  "variable rate in Matroska (1 ms)": { extension: "mkv", frames: 350, pts: JITTER },
  "a hole of six seconds": { extension: "mp4", frames: 220, pts: "N*3600+if(gte(N\\,100)\\,540000\\,0)" },
  "a late start": { extension: "mp4", frames: 350, pts: "N*3600+180000", sound: "sine=d=16", output: ["-shortest"] },
  "open GOPs": { extension: "mkv", frames: 350, codec: ["-c:v", "libx264", "-preset", "ultrafast", "-g", "40", "-bf", "3", "-x264-params", "open-gop=1:bframes=3", "-pix_fmt", "yuv420p"] },
  "a transport stream": { extension: "ts", frames: 350, sound: "sine=d=14" },
  "a transport stream with open GOPs": { extension: "ts", frames: 350, codec: ["-c:v", "libx264", "-preset", "ultrafast", "-g", "40", "-bf", "3", "-x264-params", "open-gop=1:bframes=3", "-pix_fmt", "yuv420p"] },
  "59.94 frames a second": { extension: "mov", frames: 800, rate: "60000/1001", codec: [...H264, "-g", "120"] },
  "AVI, which counts in frames": { extension: "avi", frames: 350, codec: ["-c:v", "mpeg4", "-q:v", "2", "-g", "30"] },
  "ten frames a second, odd size": { extension: "mkv", frames: 140, rate: "10", width: 97, height: 65, codec: ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-pix_fmt", "yuv444p"] },
  "a long last frame": { extension: "mkv", frames: 100, pts: "N*3600+if(gte(N\\,99)\\,900000\\,0)" }
}

const RATES: ReadonlyArray<Rational> = [{ num: 25, den: 1 }, { num: 30000, den: 1001 }, { num: 60, den: 1 }]

describe("every frame of a clip shows what it must", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-render-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  for (const [name, recipe] of Object.entries(SOURCES)) {
    it(name, async () => {
      const source: Ingested = await ingest(await makeSource(folder, name.replaceAll(/\W+/g, "-"), recipe))
      const seconds = source.media.picture.duration / 1e6
      for (const frameRate of RATES) {
        for (const [start, end] of [[0, seconds], [1.23457, seconds - 0.017], [seconds / 2 + 0.0133, seconds / 2 + 1.6]] as const) {
          const spec = specOf([source], [{ start, end }], { frameRate, sound: false })
          const { outputs } = await runPlan(planOf(spec, [source]), [source.path], folder)
          const clip = spec.clips[0]
          assert.deepStrictEqual(
            await readNumbers(outputs[0]?.path ?? "", 96, 64),
            model(source.index, clip?.start ?? 0, clip?.frames ?? 0, frameRate),
            `${start}–${end} at ${frameRate.num}/${frameRate.den}`
          )
        }
      }
    })
  }
})
