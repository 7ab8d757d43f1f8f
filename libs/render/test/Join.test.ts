import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import type { Ingested } from "./Ingest.ts"
import { expectedNumbers, joinedSources, joinedTests, the } from "./Joined.ts"
import { model } from "./Model.ts"
import { readNumbers } from "./Numbered.ts"
import { makeTask, runPlan, verify } from "./RunPlan.ts"
import { planOf, specOf } from "./Specs.ts"

joinedTests([
  ["mp4", "h264"],
  ["webm", "vp9"]
])

describe("joined files", () => {
  let folder = ""
  let sources: ReadonlyArray<Ingested> = []
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-join-`)
    sources = await joinedSources(folder)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const paths = () => sources.map((source) => source.path)
  // 11 frames of 29.97 are 367.03 ms, which the header of an MP4 calls 368; 27.599 has ticks finer than a microsecond.
  for (const [count, frameRate] of [
    [9, { num: 30000, den: 1001 }],
    [4, { num: 2760000, den: 100003 }]
  ] as const) {
    it(`${count} clips at ${frameRate.num}/${frameRate.den}: every tick uniform, sound as long as the picture`, async () => {
      const clips = Array.from({ length: count }, (_, i) => ({ start: i * 0.6, end: i * 0.6 + 0.367 }))
      const spec = specOf(sources, clips, { frameRate })
      const { outputs } = await runPlan(planOf(spec, sources), paths(), folder, "outputs")
      const path = the(outputs[0]).path
      assert.deepStrictEqual(await readNumbers(path, 96, 64), expectedNumbers(spec, sources))
      const packets = ["-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0"]
      const { stdout } = await execa("ffprobe", ["-v", "error", ...packets, path])
      const ticks = stdout
        .split("\n")
        .map((line) => Number.parseInt(line, 10))
        .toSorted((a, b) => a - b)
      assert.deepStrictEqual(
        ticks,
        ticks.map((_, n) => n * frameRate.den)
      )
    })
  }

  it("clips: every clip a file of its own, with silence where it has no sound", async () => {
    const spec = specOf(
      sources,
      [
        { start: 1, end: 2, name: "Überblick" },
        { source: 1, start: 1, end: 2, name: "b.mp4" }
      ],
      {},
      { delivery: "clips" }
    )
    const plan = planOf(spec, sources)
    const { outputs } = await runPlan(plan, paths(), folder)
    assert.deepStrictEqual(
      outputs.map((output) => output.name),
      ["01 Überblick.mp4", "02 b.mp4"]
    )
    assert.deepStrictEqual(
      await Promise.all(outputs.map((output) => readNumbers(output.path, 96, 64))),
      spec.clips.map((clip) => model(the(sources[clip.source]).index, clip.start, clip.frames, { num: 25, den: 1 }))
    )
    assert.deepStrictEqual(
      outputs.map((output) => output.audio?.samples),
      [48000, 48000]
    )
    assert.strictEqual(plan.tasks.at(-1)?.work._tag, "zip")
    assert.strictEqual(plan.tasks.at(-1)?.key, plan.final)
  })

  it("a join of pieces that do not fit is noticed at the seam", async () => {
    const plan = (mode: "fast" | "balanced") => planOf(specOf(sources, [{ end: 13 }], { mode, sound: false }), sources)
    const [one, other] = await Promise.all(
      [plan("fast"), plan("balanced")].map((p) => runPlan(p, paths(), folder, "outputs"))
    )
    const keys = plan("fast").tasks.map((task) => task.key)
    const foreign = plan("balanced").tasks.map((task) => task.key)
    // The second chunk comes from another encoder setting: its parameter sets are not those of the file.
    const made = new Map(the(one).made).set(the(keys[1]), the(the(other).made.get(the(foreign[1]))))
    const [joined] = await makeTask(plan("fast"), the(plan("fast").tasks[2]), paths(), `${folder}/wrong`, made)
    assert.match((await verify(the(joined))).join("; "), /error|invalid|concealing/i)
  })

  it("the poster shows the frame at a tenth", async () => {
    const spec = specOf(sources, [{ start: 0, end: 8 }], { frameRate: { num: 25, den: 1 } })
    const plan = planOf(spec, sources)
    const { made } = await runPlan(plan, paths(), folder, "outputs")
    const poster = the(made.get(plan.final)?.[1])
    assert.strictEqual(poster.role, "poster")
    assert.deepStrictEqual(await readNumbers(poster.path, 96, 64), [20])
  })
})
