import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { execa } from "execa"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { generated } from "./Generated.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { recut } from "./Recut.ts"
import { runPlan } from "./RunPlan.ts"
import { H264 } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

/** What of a file must not depend on where its chunks begin. */
interface Measured {
  /** Presentation times of its frames, in ticks. */
  readonly times: string
  /** Likeness to the source, dB. */
  readonly psnr: number
  readonly bytes: number
}

export interface OnePass {
  readonly name: string
  readonly source: () => Promise<string>
  /** Seconds. */
  readonly clip: { readonly start: number; readonly end: number }
  readonly target?: Partial<RenderSpec["target"]>
  /** How far apart they may be: 0.1 dB and a hundredth of the size unless told. */
  readonly worse?: { readonly dB: number; readonly size: number }
}

/** Drawn, soft, and never the same: no chunk comes near its ceiling, which each has for itself. */
export const softPicture = () => {
  const color = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
  const picture = "testsrc2=s=320x180:r=25:d=19,gblur=sigma=4"
  return generated("mp4", ["-f", "lavfi", "-i", picture, ...H264, "-crf", "12", ...color])
}

const measured = async (path: string, source: Ingested, clip: OnePass["clip"]): Promise<Measured> => {
  const { frameRate, height, width } = source.media.picture
  const rate = `${frameRate.num}/${frameRate.den}`
  const size = `${width - (width % 2)}:${height - (height % 2)}`
  const cut = `fps=${rate}:start_time=0,trim=start_frame=${Math.round((clip.start * frameRate.num) / frameRate.den)}`
  const graph = `[0:v]settb=1/90000,setpts=N[a];[1:v]${cut},scale=${size},settb=1/90000,setpts=N[b];[a][b]psnr=shortest=1`
  const compare = ["-hide_banner", "-nostats", "-i", path, "-i", source.path, "-lavfi", graph, "-f", "null", "-"]
  const packets = ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0", path]
  const [{ stderr }, { stdout }, { size: bytes }] = await Promise.all([
    execa("ffmpeg", compare),
    execa("ffprobe", packets),
    stat(path)
  ])
  const psnr = Number(/average:(\S+)/.exec(stderr)?.[1])
  const ticks = stdout.split("\n").map((line) => Number.parseInt(line, 10))
  return { times: ticks.toSorted((a, b) => a - b).join(), psnr, bytes }
}

export const metamorphicTests = (cases: ReadonlyArray<OnePass>) =>
  describe("chunks are what one pass is:", () => {
    let folder = ""
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-metamorphic-`)
    })
    afterAll(() => rm(folder, { recursive: true }))

    for (const { clip, name, source: made, target = {}, worse = { dB: 0.1, size: 0.01 } } of cases) {
      it(`${name}`, async () => {
        const source = await ingest(await made())
        const { frameRate, height, width } = source.media.picture
        const size = { width: width - (width % 2), height: height - (height % 2) }
        const spec = specOf([source], [clip], { ...size, frameRate, sound: false, ...target })
        const whole = planOf(spec, [source])
        const step = Math.round((6 * frameRate.num) / frameRate.den)
        const measuredIn = async (cuts: (frames: number) => ReadonlyArray<number>, way: string) => {
          const plan = recut(whole, [source], cuts)
          const { outputs } = await runPlan(plan, [source.path], `${folder}/${name}-${way}`, "outputs")
          return measured(outputs[0]?.path ?? "", source, clip)
        }
        const [one, chunks, anywhere] = await Promise.all([
          measuredIn(() => [], "whole"),
          // As long as the product's.
          measuredIn(
            (frames) => Array.from({ length: Math.ceil(frames / step) - 1 }, (_, i) => (i + 1) * step),
            "chunks"
          ),
          measuredIn((frames) => [0.17, 0.43, 0.81].map((part) => Math.round(part * frames)), "anywhere")
        ])
        assert.deepStrictEqual([chunks.times, anywhere.times], [one.times, one.times])
        assert.closeTo(chunks.psnr, one.psnr, worse.dB)
        // Each begins a group of pictures where there was none.
        assert.closeTo(anywhere.psnr, one.psnr, 2 * worse.dB)
        assert.closeTo(chunks.bytes / one.bytes, 1, worse.size)
      })
    }
  })
