import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Format, VideoCodec } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { generated } from "./Generated.ts"
import { HEARD_RATE, heardIn } from "./Heard.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { readFrames } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { H264 } from "./Sources.ts"
import { type ClipSketch, planOf, specOf } from "./Specs.ts"

/**
 * Picture and sound together: a source flashes and beeps for three frames at every second (of frames), and whatever is done
 * to it, what is seen and what is heard of each is in the same place.
 */
const LASTS = 3
const SECONDS = 4

const flashing = async ({ den, num }: Rational, extension: string): Promise<Ingested> => {
  const period = Math.round(num / den)
  const [each, beep] = [(period * den) / num, (LASTS * den) / num]
  const picture = `color=black:s=96x64:r=${num}/${den}:d=${SECONDS},drawbox=c=white:t=fill:enable='lt(mod(n,${period}),${LASTS})'`
  const sound = `aevalsrc='0.7*sin(2*PI*1000*t)*lt(mod(t+0.00001,${each}),${beep})':s=44100:d=${SECONDS}`
  const input = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
  return ingest(await generated(extension, [...input, ...H264, "-g", String(period), "-c:a", "aac"]))
}

const dissolve = { type: "dissolve", duration: 0.8 } as const
const fade = { type: "fade", duration: 0.6 } as const
const pan = {
  keyframes: [
    { time: 0, x: 0.1, y: 0.1, width: 0.5, height: 0.5 },
    { time: 3, x: 0.4, y: 0.3, width: 0.6, height: 0.6 }
  ]
}
const speed = [
  { start: 0.5, end: 1.5, rate: 0.5 },
  { start: 1.6, end: 2.6, rate: 2 },
  { start: 2.7, end: 3.3, rate: 0.25 }
]

/** No flash is cut in two, and none of two clips meet. */
const PATHS: Readonly<Record<string, ReadonlyArray<ClipSketch>>> = {
  plain: [
    { start: 0.313, end: 2.7 },
    { start: 1.4, end: 2.4 }
  ],
  speed: [{ start: 0.313, end: 3.6, speed }],
  dissolve: [
    { start: 0.3, end: 2.5, transition: dissolve },
    { start: 0.45, end: 2.7 }
  ],
  fade: [
    { start: 0.3, end: 2.5, transition: fade },
    { start: 0.85, end: 2.7 }
  ],
  crop: [{ start: 0.3, end: 2.7, crop: pan }],
  "all together": [
    { start: 0.3, end: 2.5, crop: pan, transition: dissolve },
    { start: 0.45, end: 3.6, speed, transition: fade },
    { start: 0.85, end: 2.7, speed: [{ start: 1.5, end: 2.6, rate: 1.5 }], crop: pan }
  ]
}

/** Middles, in seconds, of stretches that are loud (or bright), between which there is nothing for some hundredths of a second. */
const middles = (powers: Iterable<number>, perSecond: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  let [sum, moment, quiet, at] = [0, 0, 0, 0]
  const end = () => {
    if (sum > 0) found.push(moment / sum)
    ;[sum, moment] = [0, 0]
  }
  for (const power of powers) {
    quiet = power > 0 ? 0 : quiet + 1
    if (quiet > 0.05 * perSecond) end()
    sum += power
    moment += (power * (at + 0.5)) / perSecond
    at++
  }
  end()
  return found
}

/** A fortieth of full scale is silence: what codecs and stretching smear. */
const HEARD = 0.025
const heard = function* (samples: Int16Array): Iterable<number> {
  for (const sample of samples) yield Math.abs(sample) > HEARD * 32_768 ? sample * sample : 0
}

interface Case {
  readonly rate: Rational
  readonly path: keyof typeof PATHS
  readonly format: Format
  /** Of the source. */
  readonly extension: string
}

const CODEC = { mp4: "h264", mov: "hevc", webm: "vp9" } as const satisfies Record<Format, VideoCodec>

export const syncTests = (cases: ReadonlyArray<Case>) =>
  describe("picture and sound are together:", () => {
    let folder = ""
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-sync-`)
    })
    afterAll(() => rm(folder, { recursive: true }))

    for (const { extension, format, path, rate } of cases) {
      const fps = (rate.num / rate.den).toFixed(2)
      it(`${path} at ${fps}, ${extension} → ${format}`, async () => {
        const source = await flashing(rate, extension)
        assert.deepStrictEqual(source.media.picture.frameRate, rate)
        const spec = specOf([source], PATHS[path] ?? [], { format, codec: CODEC[format], frameRate: rate })
        const own = `${folder}/${fps}-${path}-${format}`
        const { outputs } = await runPlan(planOf(spec, [source]), [source.path], own, "outputs")
        const made = outputs[0]?.path ?? ""
        const [frames, samples] = await Promise.all([readFrames(made, 96, 64), heardIn(made)])
        const brightness = frames.map((frame) => frame.reduce((sum, pixel) => sum + pixel, 0) / frame.length)
        const flashes = middles(
          brightness.map((mean) => (mean > 12 ? mean : 0)),
          rate.num / rate.den
        )
        const beeps = middles(heard(samples), HEARD_RATE)
        assert.isAtLeast(flashes.length, 2)
        assert.strictEqual(beeps.length, flashes.length, `${flashes.join(" ")} / ${beeps.join(" ")}`)
        for (const [i, flash] of flashes.entries()) {
          assert.closeTo(beeps[i] ?? Number.NaN, flash, rate.den / rate.num, `${i} of ${flashes.join(" ")}`)
        }
      })
    }
  })
