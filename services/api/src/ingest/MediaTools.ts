import { Config, Context, Effect, Layer, Schema } from "effect"
import { execa } from "execa"

/** A tool did not do its work: it said no (`failed`, with what it said), took too long, said too much, or is not there. */
export class ToolError extends Schema.TaggedError<ToolError>()("ToolError", {
  reason: Schema.Literals(["failed", "timeout", "too_much", "missing"]),
  /** The end of its standard error. For logs: it names local paths. */
  stderr: Schema.String
}) {}

export interface Run {
  readonly argv: ReadonlyArray<string>
  readonly timeoutSeconds: number
  /** Gets standard output, piece by piece. */
  readonly onText?: (text: string) => void
}

const MAX_OUTPUT = 1024 * 1024 * 1024
const KEPT_STDERR = 8192

/**
 * ffprobe and ffmpeg as child processes: argument arrays, no shell, no inherited environment (it holds credentials), no
 * input, bounded in time and output. Interrupting ends the process.
 */
export class MediaTools extends Context.Service<
  MediaTools,
  {
    /** Answers with the end of standard error. */
    ffprobe(run: Run): Effect.Effect<string, ToolError>
    ffmpeg(run: Run): Effect.Effect<string, ToolError>
  }
>()("@reelay/api/MediaTools") {
  static readonly layer = Layer.effect(
    MediaTools,
    Effect.gen(function* () {
      const tools = yield* Config.all({
        ffprobe: Config.NonEmptyString("REELAY_FFPROBE").pipe(Config.withDefault("ffprobe")),
        ffmpeg: Config.NonEmptyString("REELAY_FFMPEG").pipe(Config.withDefault("ffmpeg")),
        path: Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
      })
      const run = (tool: string) =>
        Effect.fn("MediaTools.run")(function* ({ argv, timeoutSeconds, onText }: Run) {
          const ended = yield* Effect.tryPromise({
            try: (signal) => start(tool, argv, { PATH: tools.path }, timeoutSeconds, onText, signal),
            catch: (cause) => new ToolError({ reason: "missing", stderr: String(cause) })
          })
          if (ended.reason !== null) return yield* new ToolError({ reason: ended.reason, stderr: ended.stderr })
          return ended.stderr
        })
      return MediaTools.of({ ffprobe: run(tools.ffprobe), ffmpeg: run(tools.ffmpeg) })
    })
  )
}

const start = async (
  tool: string,
  argv: ReadonlyArray<string>,
  env: Record<string, string>,
  timeoutSeconds: number,
  onText: Run["onText"],
  signal: AbortSignal
): Promise<{ readonly reason: ToolError["reason"] | null; readonly stderr: string }> => {
  const child = execa(tool, argv, {
    cancelSignal: signal,
    timeout: timeoutSeconds * 1000,
    forceKillAfterDelay: 2000,
    stdin: "ignore",
    buffer: false,
    reject: false,
    extendEnv: false,
    env
  })
  let stderr = ""
  let heard = 0
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-KEPT_STDERR)
  })
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text.length
    if (heard > MAX_OUTPUT) child.kill()
    else onText?.(text)
  })
  const result = await child
  const reason =
    heard > MAX_OUTPUT
      ? "too_much"
      : result.timedOut
        ? "timeout"
        : result.exitCode === undefined && result.signal === undefined
          ? "missing"
          : result.failed
            ? "failed"
            : null
  return { reason, stderr: stderr === "" ? (result.shortMessage ?? "") : stderr }
}
