import type { Task } from "@reelay/contracts/Plan"
import type { Reach } from "@reelay/platform/Confinement"
import type { CannotStart, Limits } from "@reelay/platform/Processes"
import { type Examination, mayBeDamaged } from "@reelay/render/Damage"
import { missingGlyphs } from "@reelay/render/MissingGlyphs"
import type { Expectation, Step, TaskCommand } from "@reelay/render/TaskCommand"
import { SAMPLE_RATE, secondsAt } from "@reelay/render/Timeline"
import { Clock, Effect, type Scope } from "effect"
import { createReadStream } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { totalmem } from "node:os"
import { EncoderConfig } from "./EncoderConfig.ts"
import {
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
import type { Made } from "./Made.ts"
import { verify } from "./Verify.ts"

const MiB = 1024 * 1024
/** What a runaway encode may write at most: this many times what is expected, and never less than this much. */
const RUNAWAY = { times: 8, bytes: 256 * MiB }
const MEMORY_BYTES = Math.max(8192 * MiB, totalmem())

/** The steps of one way to make a task's files, and the look at what came out. */
export const runCommand: (request: {
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
  readonly onProgress: (frames: number, speed: number | null) => void
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

  const inspected = Effect.fnUntraced(function* ({ look, path }: NonNullable<Step["inspects"]>) {
    const found = yield* Effect.tryPromise({
      try: async () => {
        const { feed, obstacle } = look()
        for await (const bytes of createReadStream(path, { highWaterMark: MiB })) feed(bytes)
        return obstacle()
      },
      catch: (cause) =>
        new TaskFailure({ kind: "storage", message: "A file could not be read back.", log: log(String(cause)) })
    })
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
  const inTurn = (steps: ReadonlyArray<Step>) =>
    Effect.forEach(
      steps,
      Effect.fnUntraced(function* (step) {
        const ended = yield* runStep(step, frames)
        frames += step.frames
        said += ended.stderr
        if (step.measures === undefined) grumbled += ended.stderr
        else yield* written([], step.measures(ended.stderr))
        if (step.inspects !== undefined) yield* inspected(step.inspects)
      }),
      { discard: true }
    )

  const rightOrNot = Effect.fnUntraced(function* (made: Expectation) {
    const problems = yield* verify(made, { reads: [], folder, devices: false })
    if (problems.length === 0) return
    const verdict = judged(verdictOfMismatch({ stderr: said, family, reads }))
    const text = `${made.role}: ${problems.join("; ")}\n${said}`
    if (verdict._tag === "Busy") return yield* new EncoderBusy({ log: log(text) })
    return yield* new TaskFailure({ kind: verdict.kind, message: verdict.message, log: log(text) })
  })
  const checked = (makes: ReadonlyArray<Expectation>) =>
    Effect.forEach(makes, rightOrNot, { concurrency: 2, discard: true })

  const { makes, steps } = command
  const completing = steps.findIndex(({ completes }) => completes !== undefined)
  const first = completing < 0 ? steps.length : completing + 1
  const whole = steps[completing]?.completes ?? makes.length
  yield* inTurn(steps.slice(0, first))
  for (const { argv, reading, verdict } of mayBeDamaged(grumbled) ? examines() : []) {
    const { stderr } = yield* ffmpeg.ask("ffprobe", argv, { ...reach, folder: null }, settings.taskSeconds, (text) =>
      reading.feed(text)
    )
    const message = verdict(stderr)
    if (message !== null) return yield* new TaskFailure({ kind: "input", message, log: log(grumbled) })
  }
  yield* Effect.all(
    [checked(makes.slice(0, whole)), inTurn(steps.slice(first)).pipe(Effect.andThen(checked(makes.slice(whole))))],
    { concurrency: 2, discard: true }
  )
  const missing = missingGlyphs(said)
  return makes.map((file) => (missing === "" ? madeOf(file) : { ...madeOf(file), missingGlyphs: missing }))
})

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
