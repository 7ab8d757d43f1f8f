import type { CurrentCaller } from "@reelay/contracts/api/Authorization"
import type { NodeId } from "@reelay/contracts/Ids"
import { Node } from "@reelay/contracts/Node"
import { NotFound } from "@reelay/contracts/Problem"
import { Database } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { exports_, farm } from "@reelay/platform/Tables"
import { and, eq, inArray } from "drizzle-orm"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { Doorbell } from "./Doorbell.ts"

/** What a node is to become by each verb. */
const BECOMES = { Drain: "draining", Resume: "active", Stop: "gone" } as const

/** How long a verb's answer waits for the node to say that it heard. */
const PATIENCE = "1 second"

/** The encoder nodes and the queue before them, as operators run them and users see them. */
export class Farm extends Context.Service<
  Farm,
  {
    /** All nodes. Of tasks, others than operators see those of their own exports. */
    nodes(caller: CurrentCaller["Service"]): Effect.Effect<ReadonlyArray<Node>, DatabaseError>
    /** Tells a node to drain (finish, take no more), to resume, or to hand its tasks back now. Answers with the node. */
    tell(verb: "Drain" | "Resume" | "Stop", id: NodeId): Effect.Effect<Node, NotFound>
    readonly paused: Effect.Effect<boolean, DatabaseError>
    setPaused(paused: boolean): Effect.Effect<boolean, DatabaseError>
  }
>()("@reelay/api/Farm") {
  static readonly layer = Layer.effect(
    Farm,
    Effect.gen(function* () {
      const database = yield* Database
      const live = yield* LiveFarm
      const doorbell = yield* Doorbell

      const present = Effect.fnUntraced(function* (id: NodeId) {
        const found = (yield* live.nodes).find((node) => node.id === id)
        return found ?? (yield* new NotFound({ detail: "There is no such node." }))
      })

      return Farm.of({
        nodes: Effect.fn("Farm.nodes")(function* (caller) {
          const nodes = yield* live.nodes
          const working = [...new Set(nodes.flatMap((node) => node.tasks.map((task) => task.exportId)))]
          if (caller.operator || working.length === 0) return nodes
          const rows = yield* database.query("farm.ownExports", (db) =>
            db
              .select({ id: exports_.id })
              .from(exports_)
              .where(and(eq(exports_.userId, caller.userId), inArray(exports_.id, working)))
          )
          const own = new Set(rows.map((row) => row.id))
          return nodes.map((node) => new Node({ ...node, tasks: node.tasks.filter((task) => own.has(task.exportId)) }))
        }),

        tell: Effect.fn("Farm.tell")(function* (verb, id) {
          const before = yield* present(id)
          if (before.status === "gone") return yield* new NotFound({ detail: "This node is gone." })
          const heard = live.changes.pipe(
            Stream.filter((change) => change._tag === "Node" && change.id === id),
            Stream.mapEffect(() => Effect.option(present(id))),
            Stream.filter((node) =>
              Option.match(node, {
                onNone: () => true,
                onSome: ({ status }) => status === BECOMES[verb]
              })
            ),
            Stream.runHead,
            Effect.timeoutOption(PATIENCE)
          )
          yield* Effect.all([heard, doorbell.announce({ _tag: verb, v: 1, nodeId: id })], { concurrency: 2 })
          return (yield* live.nodes).find((node) => node.id === id) ?? before
        }),

        paused: database
          .query("farm.paused", (db) => db.select({ paused: farm.paused }).from(farm))
          .pipe(Effect.map(([row]) => row?.paused ?? false)),

        setPaused: Effect.fn("Farm.setPaused")(function* (paused) {
          yield* database.query("farm.pause", (db) => db.update(farm).set({ paused }))
          yield* doorbell.announce({ _tag: "Queue", v: 1, paused })
          return paused
        })
      })
    })
  )
}
