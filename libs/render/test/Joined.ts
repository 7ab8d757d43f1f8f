import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Format, VideoCodec } from "@reelay/contracts/Export"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { model } from "./Model.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { makeSource } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

export const the = <A>(value: A | undefined): A => value ?? assert.fail("nothing there")

/** What a decoder makes of a file's pictures: a digest a frame. */
const frameDigests = async (path: string): Promise<ReadonlyArray<string>> => {
  const { stdout } = await execa("ffmpeg", ["-v", "error", "-xerror", "-i", path, "-map", "0:v", "-f", "framemd5", "-"])
  return stdout
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.split(",").at(-1)?.trim() ?? "")
}

/** Two sources, one with sound and one without. */
export const joinedSources = async (folder: string): Promise<ReadonlyArray<Ingested>> => [
  await ingest(
    await makeSource(folder, "with", { extension: "mp4", frames: 340, sound: ["-f", "lavfi", "-i", "sine=d=13.6"] })
  ),
  await ingest(await makeSource(folder, "without", { extension: "mkv", frames: 90, rate: "30" }))
]

/** The numbers that a film's frames carry. */
export const expectedNumbers = (spec: RenderSpec, sources: ReadonlyArray<Ingested>): ReadonlyArray<number> =>
  spec.clips.flatMap((clip) => {
    const source = sources[clip.source]
    return source === undefined ? [] : model(source.index, clip.start, clip.frames, spec.target.frameRate)
  })

/** Chunks of several clips joined with one soundtrack. */
export const joinedTests = (kinds: ReadonlyArray<readonly [Format, VideoCodec]>) =>
  describe("joined files of every kind:", () => {
    let folder = ""
    let sources: ReadonlyArray<Ingested> = []
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-joined-`)
      sources = await joinedSources(folder)
    })
    afterAll(() => rm(folder, { recursive: true }))
    const paths = () => sources.map((source) => source.path)

    for (const [format, codec] of kinds) {
      it(`${codec} in ${format}`, async () => {
        const clips = [{ end: 13.6 }, { source: 1, start: 0.51, end: 2.6 }, { start: 3.3, end: 4.1 }]
        const spec = specOf(sources, clips, { format, codec, frameRate: { num: 24000, den: 1001 } })
        const plan = planOf(spec, sources)
        const { made, outputs } = await runPlan(plan, paths(), folder, format === "mov" ? "outputs" : "all")
        const output = the(outputs[0])
        assert.strictEqual(output.name, `film.720p.${format}`)
        assert.deepStrictEqual(await readNumbers(output.path, 96, 64), expectedNumbers(spec, sources))

        // Joining changes no picture, and a whole decode has nothing to say.
        const chunks = plan.tasks
          .filter((task) => task.work._tag === "chunk")
          .map((task) => made.get(task.key)?.[0]?.path ?? "")
        assert.strictEqual(chunks.length, 4)
        const apart = (await Promise.all(chunks.map(frameDigests))).flat()
        assert.deepStrictEqual(await frameDigests(output.path), apart)
        const { stderr } = await execa("ffmpeg", ["-v", "error", "-xerror", "-i", output.path, "-f", "null", "-"])
        assert.strictEqual(stderr, "")

        const tags = await execa("ffprobe", [
          "-v",
          "error",
          "-show_entries",
          "format_tags:stream_tags",
          "-of",
          "json",
          output.path
        ])
        assert.notMatch(tags.stdout, /Lavf\d|Lavc/)
        assert.notInclude(tags.stdout, "creation_time")
      })
    }
  })
