import { NodeWS } from "@effect/platform-node"
import type { Export, ExportStatus, Progress } from "@reelay/contracts/Export"
import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { exportEvent } from "@reelay/contracts/messages/Messages"
import { ServerMessage } from "@reelay/contracts/Socket"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import { exports_ } from "@reelay/platform/Tables"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { insertExport, insertVideo, output } from "@reelay/platform/testing/Fixtures"
import { openInfra } from "@reelay/platform/testing/Infra"
import type { TestInfra } from "@reelay/platform/testing/Infra"
import { eq, sql } from "drizzle-orm"
import { ConfigProvider, Context, Effect, Layer, Queue, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { notifier } from "../src/Notifier.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(ServerMessage))

/** A program that listens: what it was told, in order, and how it ended. */
export interface Client {
  readonly told: Queue.Queue<ServerMessage>
  readonly socket: NodeWS.WebSocket
  readonly send: (message: unknown) => void
  readonly ended: Promise<number>
}

export const connectTo = (url: string, options: NodeWS.ClientOptions = {}) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const told = yield* Queue.unbounded<ServerMessage>()
      const socket = new NodeWS.WebSocket(url, options)
      socket.on("message", (data) => Queue.offerUnsafe(told, decode(String(data))))
      const ended = new Promise<number>((resolve) => socket.on("close", resolve))
      yield* Effect.callback<void, Error>((resume) => {
        socket.once("open", () => resume(Effect.void))
        socket.once("error", (error) => resume(Effect.fail(error)))
      })
      socket.on("error", () => {})
      const client: Client = {
        told,
        socket,
        ended,
        send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message))
      }
      return client
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

/** The next message of a kind; what is of another kind is passed over. */
export const next = <T extends ServerMessage["type"]>(client: Client, type: T) =>
  Queue.take(client.told).pipe(
    Effect.repeat({ until: (message) => message.type === type }),
    Effect.map((message) => message as Extract<ServerMessage, { type: T }>),
    Effect.timeout("40 seconds")
  )

/** Everything told so far, when nothing more comes for a while. */
export const quiet = Effect.fnUntraced(function* (client: Client, millis = 400) {
  const seen: Array<ServerMessage> = []
  while (true) {
    const message = yield* Queue.take(client.told).pipe(Effect.timeoutOption(millis))
    if (message._tag === "None") return seen
    seen.push(message.value)
  }
})

/** The moves that the scheduler and the api make in Postgres. */
export const move = (db: Db, id: ExportId, status: ExportStatus) => {
  const planned = { v: 1 as const }
  const set = {
    pending: { status },
    processing: {
      status,
      epoch: sql`${exports_.epoch} + 1`,
      plan: sql`${JSON.stringify(planned)}::jsonb`,
      encoder: "software"
    },
    completed: { status, outputs: [output] },
    failed: {
      status,
      error: {
        type: "urn:reelay:problem:render_error",
        title: "It failed",
        status: 500,
        detail: "…",
        code: "render_error" as const
      }
    },
    cancelled: { status }
  }[status]
  return db.update(exports_).set(set).where(eq(exports_.id, id))
}

/** What the lab stands on. */
export type Stands = Pick<TestInfra, "environment">

const shared = Effect.acquireRelease(
  Effect.promise(() => openInfra()),
  ({ close }) => Effect.promise(close)
)

export class Lab extends Context.Service<
  Lab,
  {
    readonly infra: Stands
    readonly url: string
    readonly http: string
    readonly port: number
    readonly scheduler: Bus["Service"]
    readonly encoder: Bus["Service"]
    readonly database: Database["Service"]
    anExport(user: UserId): Effect.Effect<ExportId>
    /** Moves a row and says so, as the scheduler does. */
    happen(user: UserId, id: ExportId, status: ExportStatus): Effect.Effect<void>
    /** Moves a row, and nobody says so. */
    silently(id: ExportId, status: ExportStatus): Effect.Effect<void>
    say(user: UserId, id: ExportId, status: ExportStatus, epoch: number): Effect.Effect<void>
  }
>()("@reelay/notifier/test/Lab") {
  /** A notifier with that environment, and everything around it. */
  static readonly layerWith = (
    environment: Readonly<Record<string, string>>,
    stands: Effect.Effect<Stands, never, Scope.Scope> = shared
  ) =>
    Layer.effect(
      Lab,
      Effect.gen(function* () {
        const infra = yield* stands
        const as = (role: "scheduler" | "encoder" | "notifier", more: Readonly<Record<string, string>> = {}) =>
          ConfigProvider.layer(ConfigProvider.fromUnknown({ ...infra.environment(role), ...more }))
        const busOf = (role: "scheduler" | "encoder") =>
          Layer.build(Layer.fresh(Bus.layer).pipe(Layer.provide(as(role)), Layer.orDie)).pipe(
            Effect.map((context) => Context.get(context, Bus)),
            Effect.tap((bus) => bus.connections.pipe(Stream.take(1), Stream.runDrain))
          )
        const scheduler = yield* busOf("scheduler")
        yield* Effect.orDie(scheduler.ensureTopology)
        const encoder = yield* busOf("encoder")
        const database = Context.get(
          yield* Layer.build(Layer.fresh(Database.layer).pipe(Layer.provide(as("scheduler")), Layer.orDie)),
          Database
        )
        const port = yield* Effect.promise(freePort)
        yield* Layer.build(
          Layer.fresh(notifier).pipe(
            Layer.provide(as("notifier", { REELAY_NOTIFIER_PORT: String(port), ...environment })),
            Layer.orDie
          )
        )
        const query = <A>(run: (db: Db) => Promise<A>) => Effect.orDie(database.query("test", run))
        const say = (userId: UserId, exportId: ExportId, status: ExportStatus, epoch: number) =>
          Effect.orDie(scheduler.publish(exportEvent, { v: 1, exportId, userId, epoch, status }))
        const silently = (id: ExportId, status: ExportStatus) => Effect.asVoid(query((db) => move(db, id, status)))
        return Lab.of({
          infra,
          port,
          url: `ws://127.0.0.1:${port}/ws`,
          http: `http://127.0.0.1:${port}`,
          scheduler,
          encoder,
          database,
          anExport: Effect.fnUntraced(function* (user) {
            return yield* query(async (db) => insertExport(db, user, await insertVideo(db, user)))
          }),
          happen: Effect.fnUntraced(function* (user, id, status) {
            yield* silently(id, status)
            const [row] = yield* query((db) =>
              db.select({ epoch: exports_.epoch }).from(exports_).where(eq(exports_.id, id))
            )
            yield* say(user, id, status, row?.epoch ?? 0)
          }),
          silently,
          say
        })
      })
    )
}

export const stateOf = ({ export: value }: { readonly export: Export }) =>
  [value.id, value.status, value.epoch] as const

export const aProgress = (some: Partial<Progress> = {}): Progress => ({
  epoch: 1,
  status: "processing",
  percent: 10,
  stage: "encoding",
  message: "Encoding",
  queuePosition: null,
  framesDone: 10,
  framesTotal: 250,
  speed: null,
  elapsedSeconds: 1,
  etaSeconds: null,
  ...some
})
