import type { Progress } from "@reelay/contracts/Export"
import { ExportId, newId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import type { ExportProgress, TaskMessage, TaskResult } from "@reelay/contracts/messages/Messages"
import type { Role } from "@reelay/contracts/messages/Topology"
import type { Advertisement } from "@reelay/contracts/Node"
import { Build, PoolName } from "@reelay/contracts/Plan"
import { Bus } from "@reelay/platform/Bus"
import { startNats } from "@reelay/platform/embedded/Nats"
import type { NatsServer } from "@reelay/platform/embedded/Nats"
import { ConfigProvider, Context, DateTime, Effect, Layer, Ref, Stream } from "effect"
import type { Scope } from "effect"
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A nats-server of a test's own, to be killed and wiped at will, and busses of any role on it. */
export const PASSWORDS = { scheduler: "s-secret", api: "a-secret", encoder: "e-secret", notifier: "n-secret" }

export class Lab extends Context.Service<
  Lab,
  {
    readonly server: Effect.Effect<NatsServer>
    /** kill -9, then the same data directory and port again; `wiped`: with nothing left in it. */
    restart(options: { readonly wiped: boolean }): Effect.Effect<void>
    readonly kill: Effect.Effect<void>
    readonly start: Effect.Effect<void>
    /** Connected or not. */
    newBus(role: Role): Effect.Effect<Bus["Service"], never, Scope.Scope>
    /** Connected; as the scheduler also with all streams made. */
    bus(role: Role): Effect.Effect<Bus["Service"], never, Scope.Scope>
  }
>()("@reelay/platform/test/Lab") {
  static readonly layer = Layer.effect(
    Lab,
    Effect.gen(function* () {
      const dataDirectory = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-nats-"))),
        (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
      )
      const running = yield* Effect.acquireRelease(
        startNats({ dataDirectory, port: 0, passwords: PASSWORDS }).pipe(
          Effect.orDie,
          Effect.flatMap((s) => Ref.make(s))
        ),
        (ref) => Ref.get(ref).pipe(Effect.flatMap((server) => server.kill))
      )
      const { port } = yield* Ref.get(running)
      const start = startNats({ dataDirectory, port, passwords: PASSWORDS }).pipe(
        Effect.orDie,
        Effect.flatMap((server) => Ref.set(running, server))
      )
      const kill = Ref.get(running).pipe(Effect.flatMap((server) => server.kill))
      const newBus = Effect.fnUntraced(function* (role: Role) {
        const { environment } = yield* Ref.get(running)
        const context = yield* Layer.build(
          Layer.fresh(Bus.layer).pipe(
            Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment(role)))),
            Layer.orDie
          )
        )
        return Context.get(context, Bus)
      })
      return Lab.of({
        server: Ref.get(running),
        kill,
        start,
        restart: Effect.fnUntraced(function* ({ wiped }) {
          yield* kill
          if (wiped) yield* Effect.promise(() => rm(dataDirectory, { recursive: true, force: true }))
          yield* start
        }),
        newBus,
        bus: Effect.fnUntraced(function* (role) {
          const bus = yield* newBus(role)
          yield* connected(bus)
          if (role === "scheduler") yield* Effect.orDie(bus.ensureTopology)
          return bus
        })
      })
    })
  )
}

export const connected = (bus: Bus["Service"]) => bus.connections.pipe(Stream.take(1), Stream.runDrain)

/** Something must have come. */
export const taken = <A, E>(pull: Effect.Effect<A | null, E>): Effect.Effect<A, E> =>
  Effect.flatMap(pull, (delivery) => (delivery === null ? Effect.die("nothing came") : Effect.succeed(delivery)))

export const POOL = PoolName.make("software-h264-0123456789ab")
export const USER = UserId.make("somebody")
export const NODE = NodeId.make("node-1")
/** Another one each time: messages are deduplicated by it. */
export const aKey = () => TaskKey.make(randomBytes(32).toString("hex"))

export const aTask = (some: Partial<TaskMessage> = {}): TaskMessage => ({
  v: 1,
  exportId: newId(ExportId),
  userId: USER,
  epoch: 1,
  pool: POOL,
  task: aKey(),
  dispatch: "first",
  plan: "plans/x/1.json",
  excludes: [],
  ...some
})

export const aResult = (some: Partial<TaskResult> = {}): TaskResult => ({
  v: 1,
  exportId: newId(ExportId),
  epoch: 1,
  task: aKey(),
  dispatch: "first",
  nodeId: NODE,
  pool: POOL,
  outcome: { _tag: "Cancelled" },
  ...some
})

export const aProgress = (some: Partial<Progress> = {}): Progress => ({
  epoch: 1,
  status: "processing",
  percent: 10,
  stage: "encoding",
  message: "Encoding",
  queuePosition: null,
  framesDone: 10,
  framesTotal: 100,
  speed: null,
  elapsedSeconds: 1,
  etaSeconds: null,
  ...some
})

export const anExportProgress = (exportId: ExportId, some: Partial<Progress> = {}): ExportProgress => ({
  v: 1,
  exportId,
  userId: USER,
  progress: aProgress(some)
})

export const anAdvertisement = (id: NodeId, some: Partial<Advertisement> = {}): Advertisement => ({
  v: 1,
  id,
  host: "here",
  version: "0.1.0",
  build: Build.make("0123456789ab"),
  status: "active",
  families: [],
  pools: [POOL],
  slots: { total: 2, busy: 0 },
  lightSlots: { total: 1, busy: 0 },
  tasks: [],
  labels: [],
  startedAt: DateTime.makeUnsafe("2026-01-01T00:00:00Z"),
  ...some
})
