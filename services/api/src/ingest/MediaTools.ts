import { mediaPrograms } from "@reelay/platform/MediaPrograms"
import { type Ended, Processes } from "@reelay/platform/Processes"
import { Sandbox, sandboxMode } from "@reelay/platform/Sandbox"
import { Config, Context, Deferred, Effect, Layer, Schema } from "effect"

/**
 * A tool did not do its work: it said no (`failed`, with what it said), took too long, said too much or what its reader
 * could not take in (`unread`), wanted more memory than one file is given, was killed (by a machine that has none left, as
 * a rule), or cannot be run.
 */
export class ToolError extends Schema.TaggedError<ToolError>()("ToolError", {
  reason: Schema.Literals(["failed", "timeout", "too_much", "unread", "memory", "killed", "missing"]),
  /** The end of its standard error, or what went wrong here. For logs: it names local paths. */
  stderr: Schema.String
}) {}

export interface Run {
  readonly argv: ReadonlyArray<string>
  /** The files it may see, and the folder that it may write. Absolute. */
  readonly reads: ReadonlyArray<string>
  readonly folder: string | null
  readonly timeoutSeconds: number
  /** Gets standard output, piece by piece: `maxText` characters of it at most (1 GiB). */
  readonly onText?: (text: string) => void
  readonly maxText?: number
}

const MiB = 1024 * 1024
const MAX_TEXT = 1024 * MiB
/** A poster is less than one. */
const MAX_FILE = 64 * MiB
/** Address space. An 8K film of ten bits takes less than a quarter of it on two cores; each further core adds a picture or two. */
const MEMORY_BYTES = 4096 * MiB

const AtLeastOne = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0))

const settings = Config.all({
  programs: mediaPrograms,
  sandbox: sandboxMode,
  memoryBytes: Config.schema(AtLeastOne, "REELAY_INGEST_MEMORY_BYTES").pipe(Config.withDefault(MEMORY_BYTES))
})

/**
 * ffprobe and ffmpeg as children: confined where bubblewrap works, bounded in time, memory and output, and gone when the
 * effect is interrupted or the api dies (`libs/platform/src/Processes.ts`).
 */
export class MediaTools extends Context.Service<
  MediaTools,
  {
    /** Answers with what it said on standard error. */
    ffprobe(run: Run): Effect.Effect<string, ToolError>
    ffmpeg(run: Run): Effect.Effect<string, ToolError>
  }
>()("@reelay/api/MediaTools") {
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const { memoryBytes, programs, sandbox } = yield* settings
      const tools = Effect.gen(function* () {
        const processes = yield* Processes
        const { confine } = yield* Sandbox
        const limits = { memoryBytes, fileBytes: MAX_FILE }
        const run = (file: string) =>
          Effect.fn("MediaTools.run")(function* (given: Run) {
            const { argv, folder, maxText = MAX_TEXT, onText, reads, timeoutSeconds } = given
            const stopped = yield* Deferred.make<"timeout" | "too_much">()
            let heard = 0
            const child = yield* processes
              .start(confine({ file, args: argv, limits }, { reads, folder, devices: false }), (text) => {
                heard += text.length
                if (heard > maxText) Deferred.doneUnsafe(stopped, Effect.succeed("too_much"))
                else onText?.(text)
              })
              .pipe(Effect.mapError(({ cause }) => new ToolError({ reason: "missing", stderr: String(cause) })))
            const why = yield* child.ended.pipe(
              Effect.catchDefect((thrown) => new ToolError({ reason: "unread", stderr: String(thrown) })),
              Effect.map(reasonOf(() => child.said().all)),
              Effect.raceFirst(Deferred.await(stopped)),
              Effect.timeoutOrElse({
                duration: timeoutSeconds * 1000,
                orElse: () => Effect.succeed("timeout" as const)
              })
            )
            if (why === "timeout" || why === "too_much") child.kill("SIGKILL")
            if (why !== null) return yield* new ToolError({ reason: why, stderr: child.said().tail })
            return child.said().all
          }, Effect.scoped)
        return MediaTools.of({ ffprobe: run(programs.ffprobe), ffmpeg: run(programs.ffmpeg) })
      })
      return Layer.effect(MediaTools, tools).pipe(
        Layer.provide(Sandbox.layer(sandbox, [programs.ffprobe, programs.ffmpeg])),
        Layer.provide(Processes.layer)
      )
    })
  )
}

/** What a launcher says that could not start what it wraps, or could not confine it just now: not the file's fault. */
const NOT_RUN = /^(?:bwrap|prlimit|setpriv): /m
const NO_MEMORY = /cannot allocate memory|out of memory|memory exhausted|bad_alloc/i

/** What bubblewrap, like a shell, ends with when SIGKILL ended what it wraps. */
const KILLED = 128 + 9

const reasonOf =
  (said: () => string) =>
  ({ exitCode, signal }: Ended): ToolError["reason"] | null => {
    if (exitCode === 0) return null
    if (NO_MEMORY.test(said())) return "memory"
    if (signal === "SIGKILL" || exitCode === KILLED) return "killed"
    return NOT_RUN.test(said()) ? "missing" : "failed"
  }
