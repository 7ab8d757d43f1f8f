import { Video } from "@reelay/contracts/Media"
import { Console, DateTime, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Connection } from "../client/Connection.ts"
import { jsonLines } from "../report/JsonLines.ts"
import { table } from "../report/Table.ts"
import { bytesInWords, timeInWords } from "../report/Words.ts"
import { interruptible, Signals } from "../Signals.ts"

const LATEST = 20

const row = (video: Video) => [
  DateTime.formatIso(video.createdAt).slice(0, 19),
  timeInWords(video.duration),
  bytesInWords(video.bytes),
  video.name,
  video.id
]

export const videos = Command.make(
  "videos",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("One video as JSON a line"), Flag.withDefault(false)) },
  ({ json }) =>
    interruptible(
      Effect.gen(function* () {
        const connection = yield* Connection
        const { items, total } = yield* connection.once(({ api }) => api.videos.list({ query: { limit: LATEST } }))
        if (json) return yield* jsonLines(Video, items)
        if (items.length === 0) return yield* Console.log("No videos yet.")
        yield* Console.log(table(["UPLOADED (UTC)", "LENGTH", "SIZE", "NAME", "ID"], items.map(row)))
        if (total > items.length) yield* Console.log(`… and ${total - items.length} older ones`)
      })
    )
).pipe(
  Command.provide(Connection.layer),
  Command.provide(Signals.layer),
  Command.withDescription("List the latest videos that were uploaded: their length, size, name and id")
)
