import { Export } from "@reelay/contracts/Export"
import { Console, DateTime, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Connection } from "../client/Connection.ts"
import { jsonLines } from "../report/JsonLines.ts"
import { table } from "../report/Table.ts"
import { timeInWords } from "../report/Words.ts"
import { interruptible, Signals } from "../Signals.ts"

const LATEST = 20

const stateOf = (found: Export): string => {
  if (found.paused === true) return "paused"
  if (found.status === "pending" && found.queuePosition !== null) return `number ${found.queuePosition}`
  if (found.status === "processing" && found.progress !== null) return `${Math.floor(found.progress.percent)} %`
  return found.status
}

const row = (found: Export) => [
  DateTime.formatIso(found.createdAt).slice(0, 19),
  stateOf(found),
  timeInWords(found.duration),
  found.outputs[0]?.name ?? found.error?.detail ?? "",
  found.id
]

export const exports_ = Command.make(
  "exports",
  {
    json: Flag.Boolean("json").pipe(Flag.withDescription("One export as JSON a line"), Flag.withDefault(false))
  },
  ({ json }) =>
    interruptible(
      Effect.gen(function* () {
        const connection = yield* Connection
        const { items, total } = yield* connection.once(({ api }) =>
          api.exports.list({ query: { sort: "-createdAt", limit: LATEST } })
        )
        if (json) return yield* jsonLines(Export, items)
        if (items.length === 0) return yield* Console.log("No exports yet.")
        yield* Console.log(table(["CREATED (UTC)", "STATE", "LENGTH", "RESULT", "ID"], items.map(row)))
        if (total > items.length) yield* Console.log(`… and ${total - items.length} older ones`)
      })
    )
).pipe(
  Command.provide(Connection.layer),
  Command.provide(Signals.layer),
  Command.withDescription("List the latest exports of the Reelay that runs on this data folder")
)
