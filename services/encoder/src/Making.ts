import type { FailureKind } from "@reelay/contracts/messages/Messages"
import { familyOf, isSmartCut, type Plan, type Task } from "@reelay/contracts/Plan"
import type { Reach } from "@reelay/platform/Confinement"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { CannotStart, Limits } from "@reelay/platform/Processes"
import { commandFor } from "@reelay/render/Command"
import type { Expectation, Step, TaskCommand } from "@reelay/render/TaskCommand"
import { ceilingOf, SOUND_BITRATE } from "@reelay/render/Estimate"
import { type Examination, examinations, mayBeDamaged } from "@reelay/render/Damage"
import { missingGlyphs } from "@reelay/render/MissingGlyphs"
import { contentTypeOf } from "@reelay/render/Names"
import { SAMPLE_RATE, secondsAt } from "@reelay/render/Timeline"
import { Clock, Effect, type Scope } from "effect"
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { totalmem } from "node:os"
import { join } from "node:path"
import { Capabilities } from "./Capabilities.ts"
import { EncoderConfig } from "./EncoderConfig.ts"
import {
  asSmartCut,
  EncoderBusy,
  type Ending,
  logFor,
  NO_SMART_CUT,
  TaskFailure,
  type Verdict,
  verdictOf,
  verdictOfMismatch
} from "./Failure.ts"
import { Ffmpeg, type FfmpegEnded } from "./Ffmpeg.ts"
import type { Inputs } from "./Inputs.ts"
import { verify } from "./Verify.ts"
import { systemCode, writeZip } from "./Zip.ts"

/** A file that was made and found right, in the task's own folder. */
export interface Made {
  readonly path: string
  readonly role: Expectation["role"]
  readonly name: string
  readonly contentType: string
  readonly frames: number
  /** Seconds. */
  readonly duration: number
  readonly width: number
  readonly height: number
  /** Characters that had no font; absent: none. */
  readonly missingGlyphs?: string
}

export interface MakeRequest {
  readonly plan: Plan
  readonly task: Task
  readonly inputs: Inputs
  readonly onProgress: (frames: number, speed: number | null) => void
}

const MiB = 1024 * 1024
/** What a runaway encode may write at most: this many times what is expected, and never less than this much. */
const RUNAWAY = { times: 8, bytes: 256 * MiB }
const MEMORY_BYTES = Math.max(8192 * MiB, totalmem())

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

const diskFull = (log: string) =>
  new TaskFailure({ kind: "resource", message: "The encoder node ran out of disk space.", log })

/** Makes a task's files in a folder of its own and verifies them. */
export const make = Effect.fn("Making.make")(function* (request: MakeRequest) {
  const store = yield* ObjectStore
  const expected = expectedBytes(request.plan, request.task, request.inputs.bytes)
  const free = yield* store.freeBytes
  if (free !== null && free < expected) return yield* diskFull(`${free} bytes free, ${expected} needed`)
  const folder = yield* store.workspace
  return request.task.work._tag === "zip"
    ? yield* makeZip(request, folder)
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

/** The steps of one way to make a task's files, and the look at what came out. */
const runCommand: (request: {
  readonly command: TaskCommand
  readonly task: Task
  readonly folder: string
  /** Bytes. */
  readonly expected: number
  readonly family: Ending["family"]
  readonly reads: Ending["reads"]
  /** What a failure means in such a task. */
  readonly judged: (verdict: Verdict) => Verdict
  /** Files that it reads. */
  readonly inputs: ReadonlyArray<string>
  /** What to ask of its sources where something was grumbled. */
  readonly examines: () => ReadonlyArray<Examination>
  readonly onProgress: MakeRequest["onProgress"]
}) => Effect.Effect<
  ReadonlyArray<Made>,
  TaskFailure | EncoderBusy | CannotStart,
  EncoderConfig | Ffmpeg | Scope.Scope
> = Effect.fnUntraced(function* (request) {
  const { command, examines, expected, family, folder, inputs, judged, onProgress, reads, task } = request
  const settings = yield* EncoderConfig
  const ffmpeg = yield* Ffmpeg
  const began = yield* Clock.monotonicTimeNanos
  const reach: Reach = { reads: inputs, folder, devices: family !== "software" }
  const log = (text: string) => logFor(text, [folder, ...inputs])
  const written = (folders: TaskCommand["folders"], files: TaskCommand["files"]) =>
    Effect.tryPromise({
      try: async () => {
        for (const path of folders) await mkdir(path)
        await Promise.all(files.map((file) => writeFile(file.path, file.text, { flag: "wx" })))
      },
      catch: (cause) =>
        new TaskFailure({ kind: "storage", message: "A file could not be written.", log: log(String(cause)) })
    })
  yield* written(command.folders, command.files)

  const inspected = Effect.fnUntraced(function* ({ obstacle, path }: NonNullable<Step["inspects"]>) {
    const bytes = yield* Effect.tryPromise({
      try: () => readFile(path),
      catch: (cause) =>
        new TaskFailure({ kind: "storage", message: "A file could not be read back.", log: log(String(cause)) })
    })
    const found = obstacle(bytes)
    if (found !== null) return yield* new TaskFailure({ ...NO_SMART_CUT, log: found })
  })

  const limits: Limits = {
    fileBytes: Math.max(RUNAWAY.bytes, expected * RUNAWAY.times),
    memoryBytes: family === "software" ? MEMORY_BYTES : undefined
  }
  const judge = (ended: FfmpegEnded) => {
    const ending: Ending = { ...ended, family, reads }
    const verdict = judged(verdictOf(ending))
    return verdict._tag === "Busy"
      ? new EncoderBusy({ log: log(ended.tail) })
      : new TaskFailure({ kind: verdict.kind, message: verdict.message, log: log(ended.tail) })
  }
  const runStep = Effect.fnUntraced(function* (step: Step, before: number) {
    const passed = Number((yield* Clock.monotonicTimeNanos) - began) / 1e9
    if (task.frames > 0) onProgress(before, null)
    const ended = yield* ffmpeg.run({
      argv: step.argv,
      reach,
      limits,
      limitSeconds: settings.taskSeconds - passed,
      onProgress: ({ frames, speed }) => {
        if (task.frames > 0) onProgress(Math.min(task.frames, before + Math.min(frames, step.frames)), speed)
      }
    })
    if (ended.exitCode !== 0 || ended.stopped !== null) return yield* judge(ended)
    return ended
  })
  let frames = 0
  let said = ""
  let grumbled = ""
  for (const step of command.steps) {
    const ended = yield* runStep(step, frames)
    frames += step.frames
    said += ended.stderr
    if (step.measures === undefined) grumbled += ended.stderr
    else yield* written([], step.measures(ended.stderr))
    if (step.inspects !== undefined) yield* inspected(step.inspects)
  }
  for (const { argv, reading, verdict } of mayBeDamaged(grumbled) ? examines() : []) {
    const { stderr } = yield* ffmpeg.ask("ffprobe", argv, { ...reach, folder: null }, settings.taskSeconds, (text) =>
      reading.feed(text)
    )
    const message = verdict(stderr)
    if (message !== null) return yield* new TaskFailure({ kind: "input", message, log: log(grumbled) })
  }

  const rightOrNot = Effect.fnUntraced(function* (made: Expectation) {
    const problems = yield* verify(made, { reads: [], folder, devices: false })
    if (problems.length === 0) return
    const verdict = judged(verdictOfMismatch({ stderr: said, family, reads }))
    const text = `${made.role}: ${problems.join("; ")}\n${said}`
    if (verdict._tag === "Busy") return yield* new EncoderBusy({ log: log(text) })
    return yield* new TaskFailure({ kind: verdict.kind, message: verdict.message, log: log(text) })
  })
  yield* Effect.forEach(command.makes, rightOrNot, { concurrency: 2, discard: true })
  const missing = missingGlyphs(said)
  return command.makes.map((file) => (missing === "" ? madeOf(file) : { ...madeOf(file), missingGlyphs: missing }))
})

const present = <A>(input: A | undefined): A => {
  if (input === undefined) throw new Error("the task reads what it does not need")
  return input
}

const madeOf = (expected: Expectation): Made => ({
  path: expected.path,
  role: expected.role,
  name: expected.name,
  contentType: expected.contentType,
  frames: expected.video?.frames ?? 0,
  duration:
    expected.video === null
      ? (expected.audio?.samples ?? 0) / SAMPLE_RATE
      : secondsAt(expected.video.frames, expected.video.rate),
  width: expected.video?.width ?? 0,
  height: expected.video?.height ?? 0
})

/** The archive of finished files: it says the frames and seconds of all of them together. */
const makeZip = Effect.fnUntraced(function* ({ inputs, plan, task }: MakeRequest, folder: string) {
  const { work } = task
  if (work._tag !== "zip") return []
  const path = join(folder, "files.zip")
  const entries = work.files.map(({ name, task }) => ({ name, ...present(inputs.made.get(task)) }))
  yield* writeZip(path, entries).pipe(
    Effect.mapError((error) =>
      error.code === "ENOSPC" || error.code === "EDQUOT"
        ? diskFull(error.code)
        : new TaskFailure({ kind: "storage", message: "The archive could not be written.", log: error.code ?? "" })
    )
  )
  const media = entries.flatMap(({ manifest }) => manifest.files.filter((file) => file.role === "media"))
  const { height, width } = plan.spec.target
  const made: Made = {
    path,
    role: "media",
    name: work.name,
    contentType: contentTypeOf("zip"),
    frames: media.reduce((sum, file) => sum + file.frames, 0),
    duration: media.reduce((sum, file) => sum + file.duration, 0),
    width,
    height
  }
  // It shows the first film's picture.
  const poster = entries[0]?.manifest.files.find((file) => file.role === "poster")
  if (poster === undefined) return [made]
  const picture = join(folder, "poster.jpg")
  const from = yield* (yield* ObjectStore).fetch(poster.object)
  yield* Effect.tryPromise({
    try: () => copyFile(from, picture),
    catch: (cause) =>
      new TaskFailure({
        kind: "storage",
        message: "The archive's picture could not be copied.",
        log: systemCode(cause) ?? ""
      })
  })
  const { contentType, duration, frames, role } = poster
  const still: Made = {
    path: picture,
    role,
    name: "",
    contentType,
    frames,
    duration,
    width: poster.width,
    height: poster.height
  }
  return [made, still]
})
