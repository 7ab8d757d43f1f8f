import type { FailureKind } from "@reelay/contracts/messages/Messages"
import { familyOf, isSmartCut, type Plan, type Task } from "@reelay/contracts/Plan"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { CannotStart } from "@reelay/platform/Processes"
import { commandFor } from "@reelay/render/Command"
import { examinations } from "@reelay/render/Damage"
import { ceilingOf, SOUND_BITRATE } from "@reelay/render/Estimate"
import type { TaskCommand } from "@reelay/render/TaskCommand"
import { SAMPLE_RATE, secondsAt } from "@reelay/render/Timeline"
import { Effect, type Scope } from "effect"
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { makeZip } from "./Archive.ts"
import { Capabilities } from "./Capabilities.ts"
import type { EncoderConfig } from "./EncoderConfig.ts"
import { asSmartCut, diskFull, type EncoderBusy, TaskFailure } from "./Failure.ts"
import type { Ffmpeg } from "./Ffmpeg.ts"
import { type Inputs, present } from "./Inputs.ts"
import type { Made } from "./Made.ts"
import { runCommand } from "./RunCommand.ts"
import { systemCode } from "./Zip.ts"

export interface MakeRequest {
  readonly plan: Plan
  readonly task: Task
  readonly inputs: Inputs
  readonly onProgress: (frames: number, speed: number | null) => void
}

const MiB = 1024 * 1024

/** Bytes that the task's files will take, generously: chunks at their ceiling, everything else at its inputs' size. */
export const expectedBytes = (plan: Plan, { work }: Pick<Task, "work">, inputBytes: number): number => {
  const { target } = plan.spec
  switch (work._tag) {
    case "chunk":
    case "copy":
    case "dissolve": {
      const { from, to } = work._tag === "dissolve" ? work.first : work
      return Math.ceil((secondsAt(to - from, target.frameRate) * ceilingOf(target)) / 8) + MiB
    }
    case "sound":
    case "crossfade":
      return work.samples * 4 + MiB
    case "soundcopy":
    case "soundtrack":
      return Math.ceil(((work.samples / SAMPLE_RATE) * SOUND_BITRATE.aac) / 8) + MiB
    case "mux":
    case "zip":
      return Math.ceil(inputBytes * 1.02) + MiB
    case "pass":
      // What its last part joins is what the others make.
      return work.parts.reduce((sum, part) => sum + expectedBytes(plan, part, sum), 0)
  }
}

/** Makes a task's files in a folder of its own and verifies them. */
export const make = Effect.fn("Making.make")(function* (request: MakeRequest) {
  const store = yield* ObjectStore
  const expected = expectedBytes(request.plan, request.task, request.inputs.bytes)
  const free = yield* store.freeBytes
  if (free !== null && free < expected) return yield* diskFull(`${free} bytes free, ${expected} needed`)
  const folder = yield* store.workspace
  const { work } = request.task
  return work._tag === "zip"
    ? yield* makeZip(work, request.inputs, request.plan.spec.target, folder)
    : yield* makeByFfmpeg(request, folder, expected)
})

const makeByFfmpeg: (
  request: MakeRequest,
  folder: string,
  expected: number
) => Effect.Effect<
  ReadonlyArray<Made>,
  TaskFailure | EncoderBusy | CannotStart,
  Capabilities | EncoderConfig | Ffmpeg | Scope.Scope
> = Effect.fnUntraced(function* ({ inputs, onProgress, plan, task }: MakeRequest, folder: string, expected: number) {
  const capabilities = yield* Capabilities
  const family = familyOf(plan, task.work) ?? "software"
  const made = new Map<string, string>([...inputs.made].map(([key, { path }]) => [key, path]))
  const device = family === "software" ? null : yield* capabilities.device(family, plan.spec.target.codec, task.weight)
  const sources = [...inputs.sources.keys()].flatMap((position) => plan.spec.sources[position]?.sha256 ?? [])
  const keeps = yield* Effect.forEach(sources, (source) => capabilities.keepsOnDevice(family, source))
  const command = (resident: boolean) =>
    commandFor(plan, task, {
      source: (index) => present(inputs.sources.get(index)),
      image: (id) => present(inputs.images.get(id)),
      made: (key) => present(made.get(key)),
      folder,
      device,
      resident
    })
  const run = (command: TaskCommand) =>
    runCommand({
      command,
      task,
      folder,
      expected,
      family,
      judged: isSmartCut(plan, task.work) ? asSmartCut : (verdict) => verdict,
      onProgress,
      inputs: [...inputs.sources.values(), ...inputs.images.values(), ...made.values()],
      examines: () => examinations(plan, task.work, (index) => present(inputs.sources.get(index))),
      reads: inputs.sources.size > 0 ? "source" : "made"
    })

  const first = command(keeps.every((kept) => kept))
  if (first.onDevice !== true) return yield* run(first)
  return yield* run(first).pipe(
    Effect.catchIf(
      (error) => error._tag === "TaskFailure" && DEVICES_FAULT.has(error.kind),
      Effect.fnUntraced(function* (error) {
        yield* Effect.logInfo("A device could not decode and scale; once more from memory", {
          family,
          reason: error.message
        })
        yield* emptied(folder)
        const done = yield* run(command(false))
        yield* capabilities.leftDevice(family, sources)
        return done
      })
    )
  )
})

/** What a decoder or a scaler on a device may fail with where the same work from memory would not. */
const DEVICES_FAULT: ReadonlySet<string> = new Set<FailureKind>(["encoder", "internal", "input"])

const emptied = (folder: string) =>
  Effect.tryPromise({
    try: async () => {
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
    },
    catch: (cause) =>
      new TaskFailure({ kind: "storage", message: "A file could not be removed.", log: systemCode(cause) ?? "" })
  })
