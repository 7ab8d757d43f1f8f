import { assert, layer } from "@effect/vitest"
import { ExportId, newId, TaskKey } from "@reelay/contracts/Ids"
import { taskMessage, type TaskMessage } from "@reelay/contracts/messages/Messages"
import { TASKS } from "@reelay/contracts/messages/Topology"
import { Build, lightPool, PoolName } from "@reelay/contracts/Plan"
import { Capabilities } from "@reelay/encoder/Capabilities"
import { Claim } from "@reelay/encoder/Claim"
import type { EncoderSettings } from "@reelay/encoder/EncoderConfig"
import { type Settlement, Worker } from "@reelay/encoder/Worker"
import { Bus } from "@reelay/platform/Bus"
import { Infra } from "@reelay/platform/testing/Infra"
import { ConfigProvider, Context, Deferred, Effect, Layer, Queue, Stream } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { ACK_WAIT, Farm, nodeId, USER } from "./support/Farm.ts"
import { settingsWith } from "./support/Harness.ts"

/** A task in a worker's hands, which ends when the test says how. */
interface Held {
  readonly node: string
  readonly message: TaskMessage
  readonly end: (settlement: Settlement) => Effect.Effect<void>
}

const BUILD = Build.make("0123456789ab")
const cancelled: Settlement = { _tag: "Report", outcome: { _tag: "Cancelled" } }

/** A node that really claims, with hands that only hold. Weights are told by the dispatch id: `heavy-3`. */
const node = Effect.fn("node")(function* (
  name: string,
  pools: ReadonlyArray<PoolName>,
  settings: Partial<EncoderSettings> = {}
) {
  const infra = yield* Infra
  const farm = yield* Farm
  const held = yield* Queue.unbounded<Held>()
  let running = 0
  let most = 0
  const worker = Worker.of({
    perform: (message, grow) =>
      Effect.gen(function* () {
        const weight = Number(/heavy-(\d+)/.exec(message.dispatch)?.[1] ?? 1)
        if (!(yield* grow(weight))) return { _tag: "GiveBack", delayMillis: 100, why: "crowded" } as const
        const ended = yield* Deferred.make<Settlement>()
        running += weight
        most = Math.max(most, running)
        yield* Queue.offer(held, {
          node: name,
          message,
          end: (settlement) => Effect.asVoid(Deferred.succeed(ended, settlement))
        })
        return yield* Deferred.await(ended).pipe(Effect.ensuring(Effect.sync(() => void (running -= weight))))
      })
  })
  const light = pools.find((pool) => pool.startsWith("light-")) ?? lightPool(BUILD)
  yield* farm.ensurePools([...pools, light], settings.ackWaitSeconds)
  const capabilities = Capabilities.of({
    build: BUILD,
    videoSlots: Effect.succeed(settings.slots ?? 2),
    device: () => Effect.succeed(null),
    keepsOnDevice: () => Effect.succeed(false),
    leftDevice: () => Effect.void,
    families: Effect.succeed([]),
    videoPools: Effect.succeed(pools.filter((pool) => pool !== light)),
    lightPool: light,
    changes: Stream.empty,
    succeeded: () => Effect.void,
    failed: () => Effect.void,
    refused: () => Effect.succeed(true)
  })
  const context = yield* Layer.build(
    Layer.fresh(Claim.layer).pipe(
      Layer.provide([
        Layer.succeed(Worker, worker),
        Layer.succeed(Capabilities, capabilities),
        Layer.fresh(Bus.layer),
        settingsWith({ nodeId: nodeId(name), ackWaitSeconds: ACK_WAIT, lightSlots: 1, ...settings })
      ]),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(infra.environment("encoder"))))
    )
  )
  return { claim: Context.get(context, Claim), held, most: () => most }
})

const freshPool = (kind = "software") => PoolName.make(`${kind}-${randomBytes(5).toString("hex")}`)
const freshKey = () => TaskKey.make(createHash("sha256").update(randomBytes(8)).digest("hex"))

/** Tasks of one export in a pool. */
const send = Effect.fn("send")(function* (pool: PoolName, count: number, some: Partial<TaskMessage> = {}) {
  const { bus } = yield* Farm
  const exportId = newId(ExportId)
  for (let i = 0; i < count; i++) {
    const message: TaskMessage = {
      v: 1,
      exportId,
      userId: USER,
      epoch: 1,
      pool,
      task: freshKey(),
      dispatch: `d-${randomBytes(4).toString("hex")}`,
      plan: "plans/none",
      excludes: [],
      ...some
    }
    yield* bus.publish(taskMessage, message)
  }
  return exportId
})

/** Waits until nothing of a pool is in the queue. */
const untilEmpty = Effect.fn("untilEmpty")(function* (pool: PoolName) {
  const { bus } = yield* Farm
  while ((yield* bus.subjects(TASKS, `tasks.${pool}.>`)).length > 0) yield* Effect.sleep("20 millis")
})

layer(Farm.layer, { excludeTestServices: true })("Claim", (it) => {
  it.effect("never holds more tasks than it has slots, and leaves none behind", () =>
    Effect.gen(function* () {
      const pools = [freshPool(), freshPool(), freshPool()] as const
      const one = yield* node("one", pools, { slots: 2 })
      for (const pool of pools) yield* send(pool, 7)
      for (let done = 0; done < 21; done++) yield* (yield* Queue.take(one.held)).end(cancelled)
      for (const pool of pools) yield* untilEmpty(pool)
      assert.strictEqual(one.most(), 2)
    })
  )

  it.effect("full, it leaves the rest to others at once", () =>
    Effect.gen(function* () {
      const pools = [freshPool(), freshPool()] as const
      // An ack wait that ran out in the first one's hands would take longer than a test may.
      const ackWaitSeconds = 600
      const one = yield* node("full", pools, { slots: 1, ackWaitSeconds })
      yield* send(pools[0], 1)
      const first = yield* Queue.take(one.held)
      const two = yield* node("empty", pools, { slots: 2, ackWaitSeconds })
      yield* send(pools[0], 1)
      yield* send(pools[1], 1)
      for (let i = 0; i < 2; i++) assert.strictEqual((yield* Queue.take(two.held)).node, "empty")
      assert.strictEqual(one.most(), 1)
      yield* first.end(cancelled)
    })
  )

  it.effect("keeps light tasks and video apart", () =>
    Effect.gen(function* () {
      const video = freshPool()
      const light = freshPool("light")
      const one = yield* node("both", [video, light], { slots: 1 })
      yield* send(video, 2)
      const first = yield* Queue.take(one.held)
      assert.strictEqual(first.message.pool, video)
      yield* send(light, 1)
      const second = yield* Queue.take(one.held)
      assert.strictEqual(second.message.pool, light)
      const load = yield* one.claim.load
      assert.deepStrictEqual(
        [load.slots, load.lightSlots, load.tasks.length],
        [{ total: 1, busy: 1 }, { total: 1, busy: 1 }, 2]
      )
      yield* first.end(cancelled)
      yield* second.end(cancelled)
      yield* (yield* Queue.take(one.held)).end(cancelled)
    })
  )

  it.effect("a task that takes several slots gets them, whatever else comes", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("heavy", [pool], { slots: 3 })
      yield* send(pool, 2)
      const light = [yield* Queue.take(one.held), yield* Queue.take(one.held)]
      yield* send(pool, 1, { dispatch: "heavy-3" })
      while ((yield* one.claim.load).tasks.length < 3) yield* Effect.sleep("10 millis")
      yield* send(pool, 6)
      for (const task of light) yield* task.end(cancelled)
      const next = yield* Queue.take(one.held)
      assert.strictEqual(next.message.dispatch, "heavy-3")
      yield* next.end(cancelled)
      for (let i = 0; i < 6; i++) yield* (yield* Queue.take(one.held)).end(cancelled)
      yield* untilEmpty(pool)
      assert.strictEqual(one.most(), 3)
    })
  )

  it.effect("gives a task back that failed here before", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("sick", [pool])
      yield* send(pool, 1, { excludes: [nodeId("sick")] })
      const two = yield* node("healthy", [pool])
      const taken = yield* Effect.raceFirst(Queue.take(one.held), Queue.take(two.held))
      assert.strictEqual(taken.node, "healthy")
      yield* taken.end(cancelled)
    })
  )

  it.effect("gives a task back that wants a label which this node has not", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("plain", [pool], { labels: ["rack-1"] })
      yield* send(pool, 1, { labels: ["studio"] })
      const two = yield* node("special", [pool], { labels: ["rack-1", "studio"] })
      const taken = yield* Effect.raceFirst(Queue.take(one.held), Queue.take(two.held))
      assert.strictEqual(taken.node, "special")
      yield* taken.end(cancelled)
    })
  )

  it.effect("keeps a task that takes longer than the ack wait", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("slow", [pool], { slots: 2 })
      yield* send(pool, 1)
      const task = yield* Queue.take(one.held)
      yield* Effect.sleep(ACK_WAIT * 1500)
      assert.strictEqual(one.most(), 1)
      yield* task.end(cancelled)
      yield* untilEmpty(pool)
    })
  )

  it.effect("cancels an export's tasks of that epoch and before", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("obedient", [pool], { slots: 3 })
      const exportId = newId(ExportId)
      for (const epoch of [1, 2, 3]) yield* send(pool, 1, { exportId, epoch })
      const held = [yield* Queue.take(one.held), yield* Queue.take(one.held), yield* Queue.take(one.held)]
      yield* one.claim.cancel(exportId, 2)
      const { results } = yield* Farm
      const epochs = new Set<number>()
      while (epochs.size < 2) {
        const result = yield* Queue.take(results)
        if (result.exportId !== exportId) continue
        assert.strictEqual(result.outcome._tag, "Cancelled")
        epochs.add(result.epoch)
      }
      assert.deepStrictEqual(epochs, new Set([1, 2]))
      assert.deepStrictEqual(
        (yield* one.claim.load).tasks.map((task) => task.epoch),
        [3]
      )
      for (const task of held) yield* task.end(cancelled)
    })
  )

  it.effect("drained, it takes nothing; handed back, its tasks go on elsewhere; resumed, it takes again", () =>
    Effect.gen(function* () {
      const pool = freshPool()
      const one = yield* node("drained", [pool], { slots: 2 })
      yield* send(pool, 1)
      yield* Queue.take(one.held)
      yield* one.claim.accept(false)
      yield* send(pool, 1)
      const two = yield* node("other", [pool], { slots: 2 })
      const first = yield* Queue.take(two.held)
      yield* one.claim.handBack
      assert.isEmpty((yield* one.claim.load).tasks)
      const second = yield* Queue.take(two.held)
      yield* first.end(cancelled)
      yield* second.end(cancelled)
      yield* two.claim.accept(false)
      yield* one.claim.accept(true)
      yield* send(pool, 1)
      const again = yield* Queue.take(one.held)
      assert.strictEqual(again.node, "drained")
      yield* again.end(cancelled)
      yield* untilEmpty(pool)
    })
  )
})
