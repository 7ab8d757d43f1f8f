import { NodeId } from "@reelay/contracts/Ids"
import { Node } from "@reelay/contracts/Node"
import { Console, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Connection } from "../client/Connection.ts"
import { jsonLines } from "../report/JsonLines.ts"
import { table } from "../report/Table.ts"
import { interruptible, Signals } from "../Signals.ts"

/** Those that work. Why the others do not is in `--json` and on the page. */
const familiesOf = (node: Node): string =>
  node.families
    .filter(({ state }) => state === "ok")
    .map(({ codecs, name }) => `${name} (${codecs.join(" ")})`)
    .join(", ") || "none"

const row = (node: Node) => [node.id, node.status, `${node.slots.busy}/${node.slots.total}`, familiesOf(node)]
const head = ["NODE", "STATUS", "SLOTS", "ENCODERS"]

export const nodes = Command.make(
  "nodes",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("One node as JSON a line"), Flag.withDefault(false)) },
  ({ json }) =>
    interruptible(
      Effect.gen(function* () {
        const connection = yield* Connection
        const { items } = yield* connection.once(({ api }) => api.farm.nodes())
        if (json) return yield* jsonLines(Node, items)
        yield* Console.log(items.length === 0 ? "No encoder nodes." : table(head, items.map(row)))
      })
    )
).pipe(
  Command.provide(Connection.layer),
  Command.provide(Signals.layer),
  Command.withDescription("List the encoder nodes: what they can encode with, and how busy they are")
)

export const drain = Command.make(
  "drain",
  {
    node: Argument.String("node").pipe(
      Argument.withDescription("Its id, as `nodes` lists it"),
      Argument.filterMap(Schema.decodeOption(NodeId), () => "a node's id as `nodes` lists it, all of it")
    ),
    resume: Flag.Boolean("resume").pipe(Flag.withDescription("Take tasks again"), Flag.withDefault(false))
  },
  ({ node, resume }) =>
    interruptible(
      Effect.gen(function* () {
        const connection = yield* Connection
        const params = { id: node }
        const changed = yield* connection.once(({ api }) =>
          resume ? api.farm.resume({ params }) : api.farm.drain({ params })
        )
        yield* Console.log(table(head, [row(changed)]))
      })
    )
).pipe(
  Command.provide(Connection.layer),
  Command.provide(Signals.layer),
  Command.withDescription("Let a node finish its running tasks and take no others (--resume: take them again)")
)
