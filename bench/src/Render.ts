import { Plan } from "@reelay/contracts/Plan"
import { confined } from "@reelay/encoder/Encoder"
import { EncoderConfig } from "@reelay/encoder/EncoderConfig"
import { Ffmpeg } from "@reelay/encoder/Ffmpeg"
import { verify } from "@reelay/encoder/Verify"
import { commandFor } from "@reelay/render/Command"
import type { TaskCommand } from "@reelay/render/TaskCommand"
import { ConfigProvider, Effect, Layer, Schema } from "effect"
import { execa } from "execa"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { change, completed, post, submit, upload } from "./Client.ts"
import { besides, median, sideBySide, timed } from "./Figures.ts"
import { FILM_RATE, filmed } from "./Sources.ts"
import { besideBare, SECONDS } from "./Wall.ts"
import { withFarm } from "./WithFarm.ts"

/** What rendering costs, each thing beside its alternative in the same run: taking turns, medians. */
const RUNS = 5

/** After an edit of one clip of ten only that is made again; nothing at all for the same export again. */
const again = async (url: string, source: string): Promise<void> => {
  const videoId = await upload(url, source)
  const project = await post(url, "/api/projects", { name: "ten" })
  const length = SECONDS / 10
  const timing = (i: number, later: number) => ({ start: i * length + later / FILM_RATE, end: (i + 1) * length })
  const clips: Array<string> = []
  for (let i = 0; i < 10; i++) {
    clips.push(await post(url, `/api/projects/${project}/clips`, { videoId, timing: timing(i, 0) }))
  }
  const edit = (id: string, i: number, later: number) =>
    change(url, `/api/projects/${project}/clips/${id}`, { timing: timing(i, later) })
  const exported = async () => completed(url, await submit(url, { projectId: project, settings: { mode: "balanced" } }))
  const [all, one, none]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
  for (let run = 1; run <= RUNS; run++) {
    for (const [i, id] of clips.entries()) await edit(id, i, 2 * run)
    all.push(await timed(exported))
    await edit(clips[4] ?? "", 4, 2 * run + 1)
    one.push(await timed(exported))
    none.push(await timed(exported))
  }
  console.log(besides("ten clips, one of them changed : all new", median(one), median(all)))
  console.log(besides("the same export again : all new", median(none), median(all)))
}

/** However many keyframes a crop has. */
const keyframes = async (url: string, source: string): Promise<void> => {
  const videoId = await upload(url, source)
  const cropped = (count: number) => async (run: number) => {
    const window = (_: unknown, i: number) => {
      const at = i / (count - 1)
      return { time: run / 100 + at * 10, x: 0.3 + 0.2 * Math.sin(6 * at), y: 0.2, width: 0.4, height: 0.4 }
    }
    const project = await post(url, "/api/projects", { name: "crop" })
    const crop = { keyframes: Array.from({ length: count }, window), interpolation: "linear" }
    await post(url, `/api/projects/${project}/clips`, { videoId, timing: { start: 0, end: 12 }, crop })
    await completed(url, await submit(url, { projectId: project, settings: { mode: "fast" } }))
  }
  const [many, few] = await sideBySide(cropped(300), cropped(3), RUNS)
  console.log(besides("12 s of a moving crop, 300 keyframes : 3", many, few))
}

/** Confining and checking a chunk, beside running the same ffmpeg and taking its word. */
const care = async (url: string, folder: string, source: string, id: string): Promise<void> => {
  const plan = Schema.decodeUnknownSync(Plan)(await (await fetch(`${url}/api/exports/${id}/plan`)).json())
  const task = plan.tasks.find(({ work }) => work._tag === "chunk")
  if (task === undefined) throw new Error("the plan has no chunk")
  let tries = 0
  const prepared = async (): Promise<{ readonly command: TaskCommand; readonly folder: string }> => {
    const own = join(folder, `care-${tries++}`)
    await mkdir(own)
    const command = commandFor(plan, task, {
      source: () => source,
      made: () => "",
      image: () => "",
      folder: own,
      device: null
    })
    for (const file of command.files) await writeFile(file.path, file.text)
    return { command, folder: own }
  }
  const trusting = async () => {
    const { command } = await prepared()
    for (const { argv } of command.steps) await execa("ffmpeg", argv)
  }
  const careful = Effect.gen(function* () {
    const program = yield* Ffmpeg
    const { command, folder } = yield* Effect.promise(prepared)
    for (const { argv } of command.steps) {
      const reach = { reads: [source], folder, devices: false }
      yield* program.run({ argv, reach, limits: {}, limitSeconds: 600, onProgress: () => {} })
    }
    for (const made of command.makes) {
      const found = yield* verify(made, { reads: [], folder, devices: false })
      if (found.length > 0) throw new Error(found.join("; "))
    }
  })
  const ffmpeg = Ffmpeg.layer.pipe(
    Layer.provideMerge(confined),
    Layer.provide(EncoderConfig.layer),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
  )
  const [ours, plain] = await Effect.runPromise(
    Effect.gen(function* () {
      const run = Effect.runPromiseWith(yield* Effect.context<Ffmpeg>())
      return yield* Effect.promise(() => sideBySide(() => run(careful), trusting, RUNS))
    }).pipe(Effect.provide(ffmpeg))
  )
  console.log(besides("one chunk, confined and verified : neither", ours, plain))
}

export const render = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-render-"))
  const film = join(folder, "film.mp4")
  await filmed(film, SECONDS)
  try {
    await withFarm(async ({ url }) => {
      console.log(`rendering (medians of ${RUNS} runs in turns)`)
      const id = await besideBare(url, folder, "a film", film, RUNS)
      await again(url, film)
      await keyframes(url, film)
      await care(url, folder, film, id)
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
