import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { Digest, NodeId, TaskKey } from "@reelay/contracts/Ids"
import { FrameIndex } from "@reelay/contracts/Media"
import { exportEvent, exportRequested, taskMessage, taskResult } from "@reelay/contracts/messages/Messages"
import type { ExportEvent, TaskMessage, TaskResult } from "@reelay/contracts/messages/Messages"
import { EVENTS, poolConsumer } from "@reelay/contracts/messages/Topology"
import { sourceIndex, taskFile, taskManifest } from "@reelay/contracts/ObjectKeys"
import { Build, lightPool, Manifest, videoPool } from "@reelay/contracts/Plan"
import { ratio } from "@reelay/contracts/Quantity"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import * as Directory from "@reelay/platform/ObjectStoreDirectory"
import { exports_ } from "@reelay/platform/Tables"
import { insertExport, insertVideo } from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq } from "drizzle-orm"
import { ConfigProvider, DateTime, Effect, Layer, Option, Schedule, Schema, Stream } from "effect"
import { Ledger } from "../src/Ledger.ts"
import { scheduler } from "../src/Scheduler.ts"
import { SchedulerConfig } from "../src/SchedulerConfig.ts"

/** Seconds. What a test holds back for longer than a busy machine stumbles is not brought a second time. */
const ACK_WAIT = 10

/** A real Postgres, a real nats-server, a real store, and an encoder that plays: what a scheduler stands on. */
const settings = ConfigProvider.layerAdd(
  ConfigProvider.fromUnknown({ REELAY_RECONCILE_SECONDS: "0.5", REELAY_TASK_ACK_WAIT: String(ACK_WAIT) })
)
export const lab = Layer.mergeAll(Database.layer, Bus.layer, Directory.layer).pipe(
  Layer.provideMerge(settings),
  Layer.provideMerge(Infra.layer)
)

/** One scheduler process's worth, each with connections of its own, for the length of the scope. */
export const aScheduler = Effect.fnUntraced(function* () {
  const context = yield* Effect.context<Infra>()
  yield* Layer.build(
    scheduler.pipe(
      Layer.provide(Ledger.layer),
      Layer.provide([Layer.fresh(Database.layer), Layer.fresh(Bus.layer), Directory.layer, SchedulerConfig.layer]),
      Layer.provide(Layer.succeedContext(context))
    )
  )
})

const BUILD = Build.make("0123456789ab")
const encodeManifest = Schema.encodeSync(Schema.fromJsonString(Manifest))
const encodeIndex = Schema.encodeSync(Schema.fromJsonString(FrameIndex))
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Of one video that all of them share in content: the same request of the same user is a look-up. */
export const anExport = Effect.fnUntraced(function* (user: UserId, options: { readonly indexed?: boolean } = {}) {
  const database = yield* Database
  const store = yield* ObjectStore
  const video = yield* database.query("video", (db) => insertVideo(db, user))
  // As the api does it: what an export reads is there before it.
  if (options.indexed !== false) {
    const pts = Array.from({ length: 250 }, (_, n) => n * 512)
    const index: typeof FrameIndex.Type = {
      v: 1,
      timeBase: ratio(1, 12_800),
      pts,
      keys: [0, 50, 100, 150, 200],
      keyBytes: [0, 1, 2, 3, 4]
    }
    yield* store.put(sourceIndex(user, video), Stream.make(bytesOf(encodeIndex(index))))
  }
  return yield* database.query("export", (db) => insertExport(db, user, video))
})

/** As the api does it; the streams may have to be made first. */
export const ring = Effect.fnUntraced(function* (id: ExportId, user: UserId) {
  const bus = yield* Bus
  yield* bus
    .publish(exportRequested, { v: 1, exportId: id, userId: user })
    .pipe(Effect.retry(Schedule.spaced(50)), Effect.timeout("40 seconds"))
})

export const rowOf = Effect.fnUntraced(function* (id: ExportId) {
  const rows = yield* (yield* Database).query("row", (db) => db.select().from(exports_).where(eq(exports_.id, id)))
  return yield* Effect.fromOption(Option.fromNullishOr(rows[0]))
})

/** Until the row says so. */
export const until = (id: ExportId, ...statuses: ReadonlyArray<string>) =>
  rowOf(id).pipe(
    Effect.repeat({ schedule: Schedule.spaced(20), until: (row) => statuses.includes(row.status) }),
    Effect.timeout("40 seconds")
  )

/** States that were announced of an export, in order. */
export const announced = Effect.fnUntraced(function* (id: ExportId, last: ExportEvent["status"]) {
  return yield* (yield* Bus).follow(EVENTS, exportEvent, 0).pipe(
    Stream.map(({ body }) => body),
    Stream.filter((event) => event.exportId === id),
    Stream.takeUntil((event) => event.status === last),
    Stream.runCollect,
    Effect.timeout("40 seconds")
  )
})

export type Play = (
  task: TaskMessage,
  done: () => Effect.Effect<TaskResult["outcome"]>
) => Effect.Effect<TaskResult["outcome"] | null>
/** Does everything that it is asked. */
export const obliging: Play = (_, done) => done()

/** An encoder without ffmpeg. `play` says how a task ends; null: it is never heard of again (and stays unacknowledged). */
export const anEncoder = Effect.fnUntraced(function* (name: string, play: Play = obliging) {
  const bus = yield* Bus
  const store = yield* ObjectStore
  const id = NodeId.make(name)
  const startedAt = yield* DateTime.now
  const pools = [videoPool("software", "h264", BUILD), lightPool(BUILD)]
  const seen: Array<TaskMessage> = []
  // What the next test begins with is no node of this one.
  yield* Effect.addFinalizer(() => bus.withdraw(id).pipe(Effect.ignore))
  yield* bus
    .advertise({
      v: 1,
      id,
      host: name,
      version: "0",
      build: BUILD,
      status: "active",
      families: [{ name: "software", codecs: ["h264"], device: null, state: "ok", reason: null }],
      pools,
      slots: { total: 2, busy: 0 },
      lightSlots: { total: 2, busy: 0 },
      tasks: [],
      labels: [],
      startedAt
    })
    .pipe(Effect.ignore, Effect.repeat(Schedule.spaced(500)), Effect.forkScoped)

  const done = Effect.fnUntraced(function* (task: TaskMessage) {
    const object = taskFile(task.userId, task.task, name, "made.mp4")
    yield* store.put(object, Stream.make(bytesOf(task.task)))
    const manifest: Manifest = {
      v: 1,
      key: TaskKey.make(task.task),
      files: [
        {
          role: "media",
          object,
          name: "made.mp4",
          contentType: "video/mp4",
          bytes: 64,
          sha256: Digest.make("0".repeat(64)),
          frames: 250,
          duration: 10,
          width: 320,
          height: 180
        }
      ],
      family: "software",
      nodeId: id,
      seconds: 0.1,
      madeAt: yield* DateTime.now
    }
    const won = yield* store.putIfAbsent(taskManifest(task.userId, task.task), bytesOf(encodeManifest(manifest)))
    return { _tag: "Done", manifest, reused: !won } satisfies TaskResult["outcome"]
  }, Effect.orDie)

  for (const pool of pools) {
    yield* bus.consume(poolConsumer(pool, ACK_WAIT), taskMessage, { maxInFlight: 2 }).pipe(
      Stream.mapEffect(
        (delivery) =>
          Effect.gen(function* () {
            const { body } = delivery
            seen.push(body)
            const outcome = yield* Effect.raceFirst(
              play(body, () => done(body)),
              delivery.working.pipe(Effect.delay("1 second"), Effect.forever)
            )
            if (outcome === null) return
            const { dispatch, epoch, exportId, task } = body
            yield* bus.publish(taskResult, { v: 1, exportId, epoch, task, dispatch, nodeId: id, pool, outcome })
            yield* delivery.ack
          }).pipe(Effect.catch(() => delivery.giveBack())),
        { concurrency: 4, unordered: true }
      ),
      Stream.runDrain,
      Effect.forkScoped
    )
  }
  return seen
})
