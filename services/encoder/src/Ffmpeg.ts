import type { Reach } from "@reelay/platform/Confinement"
import { type CannotStart, type Ended, type Limits, Processes } from "@reelay/platform/Processes"
import { Sandbox } from "@reelay/platform/Sandbox"
import { Context, Duration, Effect, Layer } from "effect"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { EncoderConfig } from "./EncoderConfig.ts"
import { type Progress, progressReader } from "./FfmpegProgress.ts"

export interface FfmpegRun {
  /** Arguments after `ffmpeg`; they ask for progress on stdout, as `RUN` of libs/render does. */
  readonly argv: ReadonlyArray<string>
  readonly reach: Reach
  readonly limits?: Limits | undefined
  /** Seconds it may take at most. */
  readonly limitSeconds: number
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

export interface FfmpegEnded extends Ended {
  /** Null: it ended by itself. */
  readonly stopped: "stalled" | "overdue" | null
  /** Beginning and end of what it said, for judging it. */
  readonly stderr: string
  /** The end of it, at most 8 KiB, for operators. */
  readonly tail: string
  /** The last frame count it reported. */
  readonly frames: number
}

/** Nothing moved in that many looks in a row: hung. Counted, not timed: an encoder that was itself stopped wakes without killing. */
const LOOKS = 4

/** Runs ffmpeg and ffprobe, confined, watched, and gone when the effect is interrupted. */
export class Ffmpeg extends Context.Service<
  Ffmpeg,
  {
    run(run: FfmpegRun): Effect.Effect<FfmpegEnded, CannotStart>
    /** Short questions to ffmpeg or ffprobe. With `onStdout` the answer is handed over as it comes, and not kept. */
    ask(
      program: "ffmpeg" | "ffprobe",
      argv: ReadonlyArray<string>,
      reach: Reach,
      timeoutSeconds: number,
      onStdout?: (text: string) => void
    ): Effect.Effect<Ended & { readonly stdout: string; readonly stderr: string }, CannotStart>
  }
>()("@reelay/encoder/Ffmpeg") {
  static readonly layer = Layer.effect(
    Ffmpeg,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const processes = yield* Processes
      const sandbox = yield* Sandbox

      const run = Effect.fn("Ffmpeg.run")(function* (request: FfmpegRun) {
        let last: Progress = { frames: 0, speed: null, mark: "" }
        let blocks = 0
        let stopped: FfmpegEnded["stopped"] = null
        const read = progressReader((progress) => {
          last = progress
          blocks++
          request.onProgress?.(progress)
        })
        const command = sandbox.confine(
          { file: settings.ffmpeg, args: request.argv, limits: request.limits },
          request.reach
        )
        const child = yield* processes.start(command, read)

        // Before the first frame every report is a sign of life (it decodes its way to the start); later only
        // something done is. The last pass of a file (moov to the front) reports nothing: there the files move.
        const signs = Effect.promise(
          async () => `${last.frames === 0 ? blocks : ""}/${last.mark}/${await folderMark(request.reach.folder)}`
        )
        const stop = (why: "stalled" | "overdue") =>
          Effect.sync(() => {
            stopped ??= why
            child.kill("SIGKILL")
          })
        const watch = Effect.gen(function* () {
          let before = ""
          let still = 0
          while (true) {
            yield* Effect.sleep(Duration.seconds(settings.stallSeconds / LOOKS))
            const now = yield* signs
            still = now === before ? still + 1 : 0
            before = now
            if (still >= LOOKS) return yield* stop("stalled")
          }
        })
        if (settings.stallSeconds > 0) yield* Effect.forkScoped(watch)
        yield* Effect.sleep(Duration.seconds(Math.max(0, request.limitSeconds))).pipe(
          Effect.andThen(stop("overdue")),
          Effect.forkScoped
        )
        const ended = yield* child.ended
        const said = child.said()
        const result: FfmpegEnded = {
          exitCode: ended.exitCode,
          signal: ended.signal,
          stopped,
          stderr: said.all,
          tail: said.tail,
          frames: last.frames
        }
        return result
      }, Effect.scoped)

      const ask = Effect.fn("Ffmpeg.ask")(
        (
          program: "ffmpeg" | "ffprobe",
          argv: ReadonlyArray<string>,
          reach: Reach,
          timeoutSeconds: number,
          onStdout?: (text: string) => void
        ) =>
          processes.collect(sandbox.confine({ file: settings[program], args: argv }, reach), timeoutSeconds, onStdout)
      )

      return Ffmpeg.of({ run, ask })
    })
  )
}

/** Sizes and times of the files in a folder, as one text that changes when any of them does. */
const folderMark = async (folder: string | null): Promise<string> => {
  if (folder === null) return ""
  const names = await readdir(folder).catch(() => [])
  const marks = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (s) => `${s.size}@${s.mtimeMs}`,
        () => ""
      )
    )
  )
  return marks.join()
}
