import { assert, describe, it } from "@effect/vitest"
import { ExportId, newId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { exportEvent, exportRequested, taskMessage } from "@reelay/contracts/messages/Messages"
import { EVENTS, poolConsumer, requestsConsumer } from "@reelay/contracts/messages/Topology"
import { Effect, Stream } from "effect"
import { Lab } from "./BusLab.ts"

describe("Bus", () => {
  it.live("carries a request from the api to the scheduler", () =>
    Effect.gen(function*() {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const api = yield* lab.bus("api")
      yield* scheduler.connections.pipe(Stream.take(1), Stream.runDrain)
      yield* scheduler.ensureTopology
      yield* scheduler.ensureTopology
      yield* scheduler.ensureConsumer(requestsConsumer)
      yield* scheduler.ensureConsumer(requestsConsumer)
      yield* api.connections.pipe(Stream.take(1), Stream.runDrain)
      const body = { v: 1 as const, exportId: newId(ExportId), userId: UserId.make("u") }
      yield* api.publish(exportRequested, body)
      const got = yield* scheduler.pull(requestsConsumer, exportRequested, 5000)
      assert.deepStrictEqual(got?.body, body)
      yield* got!.ack
      assert.isNull(yield* scheduler.pull(requestsConsumer, exportRequested, 300))
    }).pipe(Effect.provide(Lab.layer)))
})
