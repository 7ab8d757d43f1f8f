import { assert, describe, it } from "@effect/vitest"
import { ExportId, newId } from "@reelay/contracts/Ids"
import { exportProgress, queueOrder } from "@reelay/contracts/messages/Messages"
import { Bus } from "@reelay/platform/Bus"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { Context, Effect, Layer, Queue, Schedule, Stream } from "effect"
import { anAdvertisement, anExportProgress, Lab, NODE } from "./BusLab.ts"

/** Until the connection is back and the streams are made. */
const AGAIN = Schedule.spaced("20 millis")

const farmOn = (bus: Bus["Service"]) =>
  Layer.build(Layer.fresh(LiveFarm.layer).pipe(Layer.provide(Layer.succeed(Bus, bus)))).pipe(
    Effect.map((context) => Context.get(context, LiveFarm))
  )

/** Repeats until it holds: what is published reaches a view a moment later. */
const eventually = <E>(holds: Effect.Effect<boolean, E>) =>
  holds.pipe(
    Effect.andThen((yes) => (yes ? Effect.void : Effect.sleep(10).pipe(Effect.andThen(Effect.fail("not yet"))))),
    Effect.retry(AGAIN)
  )

describe("LiveFarm", () => {
  it.live("fills itself by listening, says what changes, and is whole again after a wipe", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const [runs, waits] = [newId(ExportId), newId(ExportId)] as const
      yield* scheduler.publish(exportProgress, anExportProgress(runs, { percent: 42 }))
      yield* scheduler.publish(queueOrder, { v: 1, waiting: [waits] })
      yield* encoder.advertise(anAdvertisement(NODE))

      const farm = yield* farmOn(yield* lab.bus("api"))
      const changes = yield* Queue.unbounded<string>()
      yield* farm.changes.pipe(
        Stream.runForEach((change) => Queue.offer(changes, change._tag)),
        Effect.forkScoped
      )
      yield* eventually(farm.progressOf(runs).pipe(Effect.map((progress) => progress?.percent === 42)))
      yield* eventually(farm.queuePosition(waits).pipe(Effect.map((position) => position === 1)))
      yield* eventually(farm.nodes.pipe(Effect.map((nodes) => nodes[0]?.id === NODE)))
      assert.deepStrictEqual(yield* farm.liveOf(waits), { progress: null, queuePosition: 1, paused: false })
      // It lay in the stream: who wrote it may be long gone.
      assert.isFalse(yield* farm.schedulerSeen)
      yield* Queue.clear(changes)
      yield* scheduler.broadcast(queueOrder, { v: 1, waiting: [waits] })
      assert.strictEqual(yield* Queue.take(changes), "Scheduler")
      assert.isTrue(yield* farm.schedulerSeen)

      yield* lab.restart({ wiped: true })
      // What is known stays known while NATS knows nothing.
      assert.strictEqual((yield* farm.progressOf(runs))?.percent, 42)
      yield* scheduler.ensureTopology.pipe(Effect.retry(AGAIN))
      yield* scheduler.broadcast(exportProgress, anExportProgress(runs, { percent: 43 })).pipe(
        Effect.andThen(farm.progressOf(runs)),
        Effect.map((progress) => progress?.percent === 43),
        eventually
      )
      yield* encoder.advertise(anAdvertisement(NODE, { status: "draining" })).pipe(
        Effect.ignore,
        Effect.andThen(farm.nodes),
        Effect.map((nodes) => nodes[0]?.status === "draining"),
        eventually
      )
    }).pipe(Effect.provide(Lab.layer))
  )
})
