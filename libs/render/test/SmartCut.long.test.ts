import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Plan, Task } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import * as fc from "fast-check"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { type Camera, camera, digests, SIZE, the } from "./Copied.ts"
import type { Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { planOf, specOf, unfolded } from "./Specs.ts"

/** Smart cuts of sources as cameras and editors write them, at any frame, in one task and in many. */
const SOURCES: Readonly<
  Record<string, Camera & { readonly rate: string; readonly num: number; readonly den: number }>
> = {
  "B-frames in pyramids": { rate: "25", num: 25, den: 1 },
  "no B-frames, baseline": { profile: "baseline", x264: ["bframes=0", "ref=1"], rate: "30", num: 30, den: 1 },
  "main, one B-frame, 29.97 on a coarse clock": {
    profile: "main",
    x264: ["bframes=1", "b-pyramid=none"],
    output: ["-video_track_timescale", "600"],
    rate: "30000/1001",
    num: 30_000,
    den: 1001
  },
  "long groups with scene cuts": { x264: ["keyint=120", "min-keyint=4", "scenecut=60"], rate: "50", num: 50, den: 1 },
  "open groups": { x264: ["open-gop=1", "keyint=27", "b-adapt=2"], rate: "25", num: 25, den: 1 },
  "an edit list that hides the beginning": { copiedFrom: 1.5, rate: "25", num: 25, den: 1 },
  "QuickTime, many references": { extension: "mov", x264: ["ref=8", "bframes=5"], rate: "60", num: 60, den: 1 },
  "field coding of whole frames": { x264: ["fake-interlaced=1"], rate: "25", num: 25, den: 1 }
}
const FRAMES = 240

/** Frames that a plan copies. */
const copiedIn = ({ tasks }: Plan): number =>
  tasks
    .flatMap(({ frames, work }): ReadonlyArray<Pick<Task, "frames" | "work">> =>
      work._tag === "pass" ? work.parts : [{ frames, work }]
    )
    .reduce((sum, { frames, work }) => sum + (work._tag === "copy" ? frames : 0), 0)

describe("smart cuts", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-smartcuts-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Cut at any frames, in one task or in many, into either container. */
  const proven = async (source: Ingested, frameRate: Rational, mayRefuse: boolean): Promise<number> => {
    const all = await digests(source.path)
    const numbers = await readNumbers(source.path, SIZE.width, SIZE.height)
    const count = source.media.picture.frames
    const hidden = numbers.length - count
    let copied = 0
    const seconds = (frames: number) => (frames * frameRate.den) / frameRate.num
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: count - 60 }),
      fc.integer({ min: 40, max: count }),
      fc.boolean(),
      async (first, length, apart) => {
        const clip = { start: seconds(first), end: seconds(Math.min(count, first + length)) }
        const spec = specOf([source], [clip], { ...SIZE, frameRate, format: apart ? "mov" : "mp4" })
        const plan = planOf(spec, [source])
        const made = await runPlan(apart ? unfolded(plan) : plan, [source.path], folder).catch((error: Error) => {
          // Which of an open group's key frames begin anew the index cannot know: the farm then encodes all.
          if (mayRefuse && error.message.includes("no parameter sets")) return null
          throw error
        })
        if (made === null) return
        const { path } = the(made.outputs[0])
        const begin = hidden + first
        assert.deepStrictEqual(
          await readNumbers(path, SIZE.width, SIZE.height),
          numbers.slice(begin, begin + the(spec.clips[0]).frames)
        )
        const same = (await digests(path)).filter((digest, n) => digest === all[begin + n]).length
        assert.isAtLeast(same, copiedIn(plan))
        copied += copiedIn(plan)
      }
    )
    // Of any eight, all may be of less than half a group: of all of it most is copied.
    await fc.assert(property, { numRuns: 8, examples: [[1, count, false]] })
    return copied
  }

  it.each(Object.keys(SOURCES))("%s", async (name) => {
    const { den, num, ...recipe } = the(SOURCES[name])
    const source = await camera(folder, name.replaceAll(/\W/g, "-"), { ...recipe, frames: FRAMES })
    const isOpen = name === "open groups"
    const copied = await proven(source, { num, den }, isOpen)
    if (!isOpen) assert.isAbove(copied, 0)
  })
})
