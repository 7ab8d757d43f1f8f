import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { TaskKey, UserId } from "@reelay/contracts/Ids"
import { Digest, NodeId } from "@reelay/contracts/Ids"
import { poolConsumer } from "@reelay/contracts/messages/Topology"
import { type TaskMessage, taskMessage, taskResult } from "@reelay/contracts/messages/Messages"
import type { Advertisement } from "@reelay/contracts/Node"
import { taskFolder } from "@reelay/contracts/ObjectKeys"
import { Build, lightPool, type Manifest, type PoolName, videoPool } from "@reelay/contracts/Plan"
import { Bus, type Delivery } from "@reelay/platform/Bus"
import { putManifest } from "@reelay/platform/Manifests"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { DateTime, Effect, Layer, Stream } from "effect"

/**
 * An encoder that encodes nothing: it claims tasks, writes their manifests and reports them, so that what is left to
 * measure is the control plane. It prints `<export id> <epoch milliseconds>` when the first task of one of the first
 * exports arrives.
 */
const SLOTS = 64
const BUILD = Build.make("000000000000")
const POOLS: ReadonlyArray<PoolName> = [videoPool("software", "h264", BUILD), lightPool(BUILD)]
/** The first ones are asked for; the words of thousands would cost more than their tasks. */
const SAID = 500
let said = 0
const say = (exportId: string): void => {
  if (said++ < SAID) process.stdout.write(`${exportId} ${performance.timeOrigin + performance.now()}\n`)
}
const EMPTY = Digest.make("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

const main = Effect.gen(function* () {
  const bus = yield* Bus
  const store = yield* ObjectStore
  const id = NodeId.make(`bench-${process.pid}`)
  const startedAt = yield* DateTime.now
  const advertisement: Advertisement = {
    v: 1,
    id,
    host: "bench",
    version: "0",
    build: BUILD,
    status: "active",
    families: [{ name: "software", codecs: ["h264"], device: null, state: "ok", reason: null }],
    pools: POOLS,
    slots: { total: SLOTS, busy: 0 },
    lightSlots: { total: SLOTS, busy: 0 },
    tasks: [],
    labels: [],
    startedAt
  }

  // Completion links what the last task made: one small object stands for all of them.
  const stand = new Set<UserId>()
  const standIn = Effect.fnUntraced(function* (user: UserId, key: TaskKey) {
    const object = `${taskFolder(user, key).split("/").slice(0, 2).join("/")}/bench/nothing`
    if (!stand.has(user)) {
      stand.add(user)
      yield* store.put(object, Stream.make(new TextEncoder().encode("nothing")))
    }
    return object
  })

  const run = Effect.fnUntraced(function* (delivery: Delivery<TaskMessage>) {
    const { body } = delivery
    if (body.pool === POOLS[0]) say(body.exportId)
    const object = yield* standIn(body.userId, body.task)
    const manifest: Manifest = {
      v: 1,
      key: body.task,
      files: [
        {
          role: "media",
          object,
          name: "nothing.mp4",
          contentType: "video/mp4",
          bytes: 7,
          sha256: EMPTY,
          frames: 1,
          duration: 1,
          width: 2,
          height: 2
        }
      ],
      family: "software",
      nodeId: id,
      seconds: 0,
      madeAt: yield* DateTime.now
    }
    yield* putManifest(store, body.userId, manifest)
    yield* bus.publish(taskResult, {
      v: 1,
      exportId: body.exportId,
      epoch: body.epoch,
      task: body.task,
      dispatch: body.dispatch,
      nodeId: id,
      pool: body.pool,
      outcome: { _tag: "Done", manifest, reused: false }
    })
    yield* delivery.ack
  })

  const claim = (pool: PoolName) =>
    bus.consume(poolConsumer(pool), taskMessage, { maxInFlight: SLOTS }).pipe(
      Stream.mapEffect((delivery) => run(delivery).pipe(Effect.ignore), { concurrency: SLOTS, unordered: true }),
      Stream.runDrain
    )

  yield* Effect.all(
    [
      bus.advertise(advertisement).pipe(Effect.ignore, Effect.andThen(Effect.sleep("2 seconds")), Effect.forever),
      ...POOLS.map(claim)
    ],
    { concurrency: "unbounded", discard: true }
  )
})

main.pipe(Effect.provide(Layer.mergeAll(Bus.layer, ObjectStoreDirectory.layer)), NodeRuntime.runMain)
