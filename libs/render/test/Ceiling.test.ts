import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ceilingOf } from "../src/Estimate.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { makeTask } from "./RunPlan.ts"
import { planOf, specOf, unfolded } from "./Specs.ts"

/** No chunk exceeds its ceiling, whatever is in the picture: here noise, which constant quality alone would not bound. */
describe("the ceiling holds in", () => {
  let folder = ""
  let source: Ingested
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-ceiling-`)
    const input = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=30:d=4,noise=alls=60:allf=t,format=yuv420p"]
    const path = `${folder}/noise.mp4`
    await execa("ffmpeg", ["-v", "error", ...input, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", path])
    source = await ingest(path)
  })
  afterAll(() => rm(folder, { recursive: true }))

  for (const [codec, mode] of [
    ["h264", "fast"],
    ["h264", "balanced"],
    ["hevc", "fast"],
    ["vp9", "fast"],
    ["av1", "fast"]
  ] as const) {
    it(`${codec}, ${mode}`, async () => {
      const format = codec === "vp9" ? "webm" : "mp4"
      const target = { codec, mode, format, width: 160, height: 90, frameRate: { num: 30, den: 1 } } as const
      const spec = specOf([source], [{}], target)
      const plan = unfolded(planOf(spec, [source]))
      const task = plan.tasks[0] ?? assert.fail()
      const [made] = await makeTask(plan, task, [source.path], folder, new Map())
      const rate = ((await stat(made?.path ?? "")).size * 8) / (task.frames / 30)
      const ceiling = ceilingOf(spec.target)
      assert.isAtMost(rate, ceiling)
      assert.isAtLeast(rate, ceiling / 2, "the test means nothing when the ceiling is far away")
    })
  }
})
