import { ExportRequest, Format, Mode, Quality, Resolution } from "@reelay/contracts/Export"
import type { Export, Segment } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import type { Video } from "@reelay/contracts/Media"
import { Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { randomUUID } from "node:crypto"
import { registerClient } from "../client/Clients.ts"
import { Connection } from "../client/Connection.ts"
import { follow } from "../client/Follow.ts"
import { leave } from "../client/Leave.ts"
import { sourceOf, targetOf } from "../client/Source.ts"
import { download, upload } from "../client/Transfer.ts"
import { Failure } from "../Failure.ts"
import { Reporter, reporterFor } from "../report/Reporter.ts"
import { interruptible, Signals } from "../Signals.ts"
import { Place, typedFor } from "../stack/Place.ts"
import { runningStack } from "../stack/StackNote.ts"

const UPLOAD_TRIES = 5
const DOWNLOAD_TRIES = 10

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("The video to export")),
  start: Flag.Finite("start").pipe(
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Where the export begins, in seconds of the video (its beginning)"),
    Flag.optional
  ),
  end: Flag.Finite("end").pipe(
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Where it ends (the video's end)"),
    Flag.optional
  ),
  resolution: Flag.Literals("resolution", Resolution.literals).pipe(
    Flag.withDescription("Short side of the picture; 720p unless told"),
    Flag.withDefault("720p")
  ),
  format: Flag.Literals("format", Format.literals).pipe(
    Flag.withDescription("mp4 and mov: H.264 + AAC; webm: VP9 + Opus; mp4 unless told"),
    Flag.withDefault("mp4")
  ),
  quality: Flag.Literals("quality", Quality.literals).pipe(
    Flag.withDescription("How good it looks, and how large it gets; medium unless told"),
    Flag.withDefault("medium")
  ),
  mode: Flag.Literals("mode", Mode.literals).pipe(
    Flag.withDescription("Effort of the encoder: fast is quick, quality is small; balanced unless told"),
    Flag.withDefault("balanced")
  ),
  output: Flag.String("output").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar("OUT"),
    Flag.withDescription("The file to write, or a folder for it (FILE.<resolution>.<format> beside FILE)"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("One JSON object a line on stdout; the last one is the result or the error"),
    Flag.withDefault(false)
  )
}

interface Wish {
  readonly file: string
  readonly start: Option.Option<number>
  readonly end: Option.Option<number>
  readonly resolution: typeof Resolution.Type
  readonly format: typeof Format.Type
  readonly quality: typeof Quality.Type
  readonly mode: typeof Mode.Type
  readonly output: Option.Option<string>
}

/** The part that was asked for; null for all of it. What the video's length says about it is the api's to judge. */
const segmentOf = (wish: Wish, video: Video): Segment | null =>
  Option.isNone(wish.start) && Option.isNone(wish.end)
    ? null
    : {
        start: Option.getOrElse(wish.start, () => 0),
        end: Option.getOrElse(wish.end, () => video.duration)
      }

const checkRange = ({ end, start }: Wish): Effect.Effect<void, Failure> => {
  const from = Option.getOrElse(start, () => 0)
  const wrong =
    from < 0
      ? "--start is before the video"
      : Option.isSome(end) && end.value <= from
        ? "--end must be after --start"
        : null
  return wrong === null ? Effect.void : new Failure({ code: "invalid_segment", message: wrong })
}

/** The rest of a request is as the contract has it by default. */
const requestOf = (wish: Wish, video: Video): ExportRequest => {
  const segment = segmentOf(wish, video)
  const { format, mode, quality, resolution } = wish
  return Schema.decodeSync(ExportRequest)({
    videoId: video.id,
    settings: { format, mode, quality, resolution },
    ...(segment === null ? {} : { segments: [segment] })
  })
}

/** Its output, or why there is none. */
const outputOf = (ended: Export) => {
  const output = ended.outputs[0]
  if (ended.status === "completed" && output !== undefined) return Effect.succeed(output)
  return new Failure(
    ended.error === null
      ? { code: ended.status, message: `the export was ${ended.status}` }
      : { code: ended.error.code, message: ended.error.detail }
  )
}

/** How far it has come, for whoever interrupts it. From "accepted" on nothing can lose the export any more. */
type Stage = "before" | "accepted" | "ended"

/** The whole way from a file to a file. */
const exportFile = Effect.fn("Export.exportFile")(function* (wish: Wish, at: (stage: Stage, id: ExportId) => void) {
  const begun = performance.now()
  const place = yield* Place
  const connection = yield* Connection
  const { say } = yield* Reporter
  const source = yield* sourceOf(wish.file)
  const path = yield* targetOf(source, Option.getOrNull(wish.output), wish.resolution, wish.format)
  yield* checkRange(wish)

  yield* Effect.addFinalizer(() => leave())
  yield* registerClient(place)
  if (runningStack(place) === null) yield* say({ type: "notice", message: "Starting Reelay …" })
  yield* say({ type: "stack", ...(yield* connection.open) })
  const sent = (bytes: number) => say({ type: "upload", bytes, total: source.bytes })
  const video = yield* connection.call(({ api }) => upload(api, source, sent), { tries: UPLOAD_TRIES, timeout: null })
  yield* sent(source.bytes)

  const key = randomUUID()
  const created = yield* connection.call(({ api }) =>
    api.exports.create({ headers: { "idempotency-key": key }, payload: requestOf(wish, video) })
  )
  const { id } = created
  at("accepted", id)
  yield* say({ type: "accepted", exportId: id, frames: created.frames, duration: created.duration })
  const ended = yield* follow(id, (progress) => say({ type: "progress", exportId: id, progress }))
  at("ended", id)
  const output = yield* outputOf(ended)
  const received = (bytes: number) => say({ type: "download", bytes, total: output.bytes })
  yield* connection.call(({ url }) => download(url, id, output, path, received), {
    tries: DOWNLOAD_TRIES,
    timeout: null
  })
  for (const { detail } of ended.warnings) yield* say({ type: "notice", message: detail })
  const { bytes, duration, frames, height, sha256, width } = output
  const seconds = Math.round(performance.now() - begun) / 1000
  yield* say({
    type: "result",
    status: "completed",
    exportId: id,
    path,
    bytes,
    sha256,
    duration,
    frames,
    width,
    height,
    seconds
  })
})

/** What Ctrl-C leaves behind: an export that goes on without us, or one that waits to be fetched. */
const farewell = Effect.fn("Export.farewell")(function* (stage: Stage, id: ExportId | null) {
  const { say } = yield* Reporter
  if (stage === "before" || id === null) return
  if (stage === "ended") {
    return yield* say({ type: "notice", message: "The export is done but was not fetched; `npm start` shows it." })
  }
  const place = yield* Place
  const url = runningStack(place)?.url ?? ""
  const typed = (command: string) => typedFor(place.data, command)
  yield* say({
    type: "detached",
    exportId: id,
    url,
    message: `The export goes on.\n  watch it   ${url}  or  ${typed("npm run reelay -- exports")}\n  stop all   ${typed("npm stop")}`
  })
})

const handler = (wish: Wish) =>
  Effect.suspend(() => {
    let stage: Stage = "before"
    let id: ExportId | null = null
    const work = exportFile(wish, (now, of) => {
      stage = now
      id = of
    })
    return Effect.scoped(interruptible(work)).pipe(
      Effect.tapErrorTag("Failure", ({ code = "error", message }) =>
        Effect.flatMap(Reporter, ({ say }) => say({ type: "error", code, message }))
      ),
      Effect.tapErrorTag("Interrupted", () => farewell(stage, id))
    )
  })

export const export_ = Command.make("export", flags, ({ json, ...wish }) =>
  handler(wish).pipe(Effect.provideService(Reporter, reporterFor(json)))
).pipe(
  Command.provide(Connection.layer),
  Command.provide(Signals.layer),
  Command.withShortDescription("Export a video file (npm run export -- FILE)"),
  Command.withDescription(
    "Export FILE: uploads it to the Reelay of this data folder, follows the export, and writes the finished file. Starts "
      + "Reelay when none runs, and then stops it at the end. Ctrl-C leaves the export running. The exit code is 0 only when "
      + "the file is there."
  ),
  Command.withExamples([
    { command: "npm run export -- holiday.mov", description: "holiday.mov.720p.mp4 beside it" },
    {
      command: "npm run export -- holiday.mov --start 12 --end 30.5 --resolution 1080p -o teaser.mp4",
      description: "A part of it"
    },
    { command: "npm run -s export -- holiday.mov --format webm --json", description: "For machines" }
  ])
)
