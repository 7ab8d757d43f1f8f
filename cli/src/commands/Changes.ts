import { ExportId, VideoId } from "@reelay/contracts/Ids"
import { NotFound } from "@reelay/contracts/Problem"
import { Console, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { ApiClient } from "../client/Api.ts"
import { Connection } from "../client/Connection.ts"
import { type Failure, Refused } from "../Failure.ts"
import { interruptible, Signals } from "../Signals.ts"

/** What has become of one of the ids: a word for machines, words for people. */
interface Done {
  readonly status: string
  readonly words: string
}
type Change<E> = (api: ApiClient, id: ExportId) => Effect.Effect<Done, E>

/** Refusals that are about the one id. Whatever else goes wrong would go wrong with the next one, too. */
const OF_ONE = new Set(["not_found", "conflict", "video_not_found"])
const isOfOne = ({ code }: Failure): boolean => code !== undefined && OF_ONE.has(code)

/** As `export --json` says it: the last line is the error. */
const errorLine = ({ code = "error", message }: Failure, id?: string) =>
  Console.log(JSON.stringify({ type: "error", id, code, message }))

/** One after the other, each with its answer; one that is refused keeps none of the others from it. */
const changeAll = Effect.fn("Changes.changeAll")(function* <E>(
  ids: ReadonlyArray<ExportId>,
  json: boolean,
  change: Change<E>
) {
  const connection = yield* Connection
  let refused = false
  for (const id of new Set(ids)) {
    yield* connection
      .once(({ api }) => change(api, id))
      .pipe(
        Effect.flatMap(({ status, words }) =>
          Console.log(json ? JSON.stringify({ type: "done", id, status }) : `${id}  ${words}`)
        ),
        Effect.catchIf(isOfOne, (failure) => {
          refused = true
          return json ? errorLine(failure, id) : Console.error(`reelay: ${id}: ${failure.message}`)
        })
      )
  }
  if (refused) return yield* new Refused()
})

const ids = Argument.String("id").pipe(
  Argument.withDescription("One id or several"),
  Argument.filterMap(Schema.decodeOption(ExportId), () => "an id as `exports` and `videos` show them, all of it"),
  Argument.atLeast(1)
)
const json = Flag.Boolean("json").pipe(
  Flag.withDescription("One JSON object a line: what became of each id, or what went wrong"),
  Flag.withDefault(false)
)

const command = <const Name extends string, E>(name: Name, description: string, change: Change<E>) =>
  Command.make(name, { ids, json }, (given) =>
    interruptible(changeAll(given.ids, given.json, change)).pipe(
      Effect.tapErrorTag("Failure", (failure) => (given.json ? errorLine(failure) : Effect.void))
    )
  ).pipe(
    Command.provide(Connection.layer),
    Command.provide(Signals.layer),
    Command.withShortDescription(description),
    Command.withDescription(
      `${description}. Ids are as \`exports\` and \`videos\` show them. Each is answered for by itself; the exit code is 0 `
        + "only when it was done with all of them."
    )
  )

export const cancel = command("cancel", "Cancel exports that wait or run", (api, id) =>
  Effect.as(api.exports.cancel({ params: { id } }), { status: "cancelled", words: "cancelled" })
)

export const retry = command("retry", "Run failed or cancelled exports again, with the settings they had", (api, id) =>
  Effect.map(api.exports.retry({ params: { id } }), ({ status }) => ({ status, words: "waits to run again" }))
)

/** The api's first answer to what waits or runs is that it is cancelled: then it can go. */
const deleteExport = Effect.fnUntraced(function* (api: ApiClient, id: ExportId) {
  const cancelled = yield* api.exports.remove({ params: { id } })
  if (cancelled === undefined) return "deleted"
  yield* api.exports.remove({ params: { id } })
  return "cancelled and deleted"
})

/** An id names one thing only: whether that is an export or a video need not be said. */
export const delete_ = command(
  "delete",
  "Delete exports with their files (what waits or runs is cancelled first), or uploaded videos, for good",
  (api, id) =>
    deleteExport(api, id).pipe(
      Effect.catchTag("NotFound", () =>
        Effect.as(api.videos.remove({ params: { id: VideoId.make(id) } }), "deleted").pipe(
          Effect.catchTag("NotFound", () => new NotFound({ detail: "There is no export and no video with this id." }))
        )
      ),
      Effect.map((words) => ({ status: "deleted", words }))
    )
)
