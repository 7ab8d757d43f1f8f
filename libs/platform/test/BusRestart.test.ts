import { assert, describe, it } from "@effect/vitest"
import { ExportId, newId, NodeId } from "@reelay/contracts/Ids"
import {
  control,
  exportEvent,
  exportProgress,
  exportRequested,
  taskMessage,
  taskResult
} from "@reelay/contracts/messages/Messages"
import type { ExportEvent } from "@reelay/contracts/messages/Messages"
import {
  EVENTS,
  poolConsumer,
  PROGRESS,
  requestsConsumer,
  resultsConsumer,
  TASKS
} from "@reelay/contracts/messages/Topology"
import { PoolName } from "@reelay/contracts/Plan"
import type { Bus } from "@reelay/platform/Bus"
import { askAll } from "@reelay/platform/NatsRequest"
import { Effect, Exit, Fiber, Queue, Schedule, Stream } from "effect"
import { connect } from "nats"
import { aResult, aTask, anAdvertisement, anExportProgress, connected, Lab, PASSWORDS, taken, USER } from "./BusLab.ts"

/** Until the connection is back and the streams are made. */
const AGAIN = Schedule.spaced("20 millis")

const pool = PoolName.make("light-0123456789ab")
const consumer = poolConsumer(pool, 5)

const anEvent = (exportId: ExportId): ExportEvent => ({ v: 1, exportId, userId: USER, epoch: 1, status: "processing" })

/** What a scheduler does at each connection. */
const tending = (scheduler: Bus["Service"]) =>
  scheduler.connections.pipe(
    Stream.runForEach(() =>
      scheduler.ensureTopology.pipe(
        Effect.andThen(Effect.forEach([consumer, requestsConsumer, resultsConsumer], scheduler.ensureConsumer)),
        Effect.retry(AGAIN),
        Effect.orDie
      )
    ),
    Effect.forkScoped
  )

/** Collects what a stream says for as long as the test lives. */
const collecting = Effect.fnUntraced(function* <A>(stream: Stream.Stream<A>) {
  const seen = yield* Queue.unbounded<A>()
  yield* stream.pipe(
    Stream.runForEach((value) => Queue.offer(seen, value)),
    Effect.forkScoped
  )
  return seen
})

/** Says something again and again until it is taken note of: what a person does who waits for NATS to come back. */
const until = <A>(say: Effect.Effect<unknown, unknown>, heard: Queue.Dequeue<A>, is: (value: A) => boolean) =>
  say.pipe(
    Effect.ignore,
    Effect.andThen(Effect.sleep(50)),
    Effect.forever,
    Effect.raceFirst(Queue.take(heard).pipe(Effect.repeat({ until: is })))
  )

describe("Bus, while NATS comes and goes", () => {
  it.live("is there before the server is, fails what it is asked, and works as soon as it can", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      yield* lab.kill
      const scheduler = yield* lab.newBus("scheduler")
      const api = yield* lab.newBus("api")
      yield* tending(scheduler)
      assert.isFalse(yield* api.connected)
      const request = { v: 1 as const, exportId: newId(ExportId), userId: USER }
      assert.strictEqual((yield* api.publish(exportRequested, request).pipe(Effect.flip)).operation, "publish")
      yield* api.broadcast(control, { _tag: "Cancel", v: 1, exportId: request.exportId })
      assert.strictEqual((yield* scheduler.ensureTopology.pipe(Effect.flip)).operation, "manage")
      const requests = yield* collecting(scheduler.consume(requestsConsumer, exportRequested, { maxInFlight: 4 }))
      const events = yield* collecting(scheduler.follow(EVENTS, exportEvent, 0))
      yield* lab.start
      yield* connected(api)
      yield* api.publish(exportRequested, request).pipe(Effect.retry(AGAIN))
      const delivery = yield* Queue.take(requests)
      assert.deepStrictEqual(delivery.body, request)
      yield* delivery.ack
      yield* scheduler.publish(exportEvent, anEvent(request.exportId))
      assert.strictEqual((yield* Queue.take(events)).body.exportId, request.exportId)
    }).pipe(Effect.provide(Lab.layer))
  )

  it.live("keeps work and place through a kill -9 of the server", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const notifier = yield* lab.bus("notifier")
      yield* tending(scheduler)
      yield* scheduler.ensureConsumer(consumer)
      const events = yield* collecting(notifier.follow(EVENTS, exportEvent, 0))
      const results = yield* collecting(scheduler.consume(resultsConsumer, taskResult, { maxInFlight: 4 }))
      const [a, b] = [newId(ExportId), newId(ExportId)] as const
      yield* scheduler.publish(exportEvent, anEvent(a))
      const before = yield* Queue.take(events)
      const [held, waiting] = [aTask({ pool }), aTask({ pool })]
      yield* scheduler.publish(taskMessage, held)
      yield* scheduler.publish(taskMessage, waiting)
      const inHand = yield* taken(encoder.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(inHand.body, held)

      yield* lab.restart({ wiped: false })
      yield* Effect.all([connected(scheduler), connected(encoder)])

      // In hand before the restart, settled after it, on another connection.
      yield* inHand.working
      yield* inHand.ack.pipe(Effect.retry(AGAIN))
      const next = yield* taken(encoder.pull(consumer, taskMessage, 30_000).pipe(Effect.retry(AGAIN)))
      assert.deepStrictEqual(next.body, waiting)
      yield* next.ack
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.${pool}.>`), [])

      yield* scheduler.publish(exportEvent, anEvent(b)).pipe(Effect.retry(AGAIN))
      const after = yield* Queue.take(events)
      assert.strictEqual(after.body.exportId, b)
      assert.strictEqual(after.sequence, before.sequence + 1)
      assert.strictEqual(after.incarnation, before.incarnation)

      const result = aResult()
      yield* encoder.publish(taskResult, result).pipe(Effect.retry(AGAIN))
      const delivery = yield* Queue.take(results)
      assert.deepStrictEqual(delivery.body, result)
      yield* delivery.ack
    }).pipe(Effect.provide(Lab.layer))
  )

  it.live("begins anew when the data directory was deleted", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const notifier = yield* lab.bus("notifier")
      const api = yield* lab.bus("api")
      yield* tending(scheduler)
      const events = yield* collecting(notifier.follow(EVENTS, exportEvent, 0))
      const progress = yield* collecting(api.watch(PROGRESS, exportProgress))
      const nodes = yield* collecting(api.nodes)
      const controls = yield* collecting(encoder.subscribe(control))
      const requests = yield* collecting(scheduler.consume(requestsConsumer, exportRequested, { maxInFlight: 1 }))
      const old = newId(ExportId)
      yield* scheduler.publish(exportEvent, anEvent(newId(ExportId)))
      yield* scheduler.publish(exportEvent, anEvent(old))
      const [, before] = yield* Queue.takeN(events, 2)
      const ring = (exportId: ExportId) => api.publish(exportRequested, { v: 1, exportId, userId: USER })
      yield* ring(old).pipe(Effect.retry(AGAIN))
      const inHand = yield* Queue.take(requests)

      yield* lab.restart({ wiped: true })

      const fresh = newId(ExportId)
      yield* until(scheduler.publish(exportEvent, anEvent(fresh)), events, ({ body, incarnation, sequence }) => {
        assert.strictEqual(body.exportId, fresh)
        assert.notStrictEqual(incarnation, before?.incarnation)
        return sequence === 1
      })
      yield* until(
        scheduler.broadcast(exportProgress, anExportProgress(fresh)),
        progress,
        ({ body }) => body.exportId === fresh
      )
      const node = NodeId.make("after")
      yield* until(encoder.advertise(anAdvertisement(node)), nodes, ({ id }) => id === node)
      yield* until(
        api.broadcast(control, { _tag: "Cancel", v: 1, exportId: fresh }),
        controls,
        (message) => message._tag === "Cancel" && message.exportId === fresh
      )
      // In hand of a life that is over: it can't be acknowledged, and must not be in the way either.
      yield* inHand.ack.pipe(Effect.ignore)
      yield* until(ring(fresh), requests, ({ body }) => body.exportId === fresh)
      yield* scheduler.publish(taskMessage, aTask({ pool })).pipe(Effect.retry(AGAIN))
      const got = yield* taken(encoder.pull(consumer, taskMessage, 30_000).pipe(Effect.retry(AGAIN)))
      yield* got.ack
    }).pipe(Effect.provide(Lab.layer))
  )

  it.live("notices streams that are rebuilt under a living connection", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      yield* scheduler.ensureConsumer(requestsConsumer)
      const events = yield* collecting(scheduler.follow(EVENTS, exportEvent, 0))
      const requests = yield* collecting(scheduler.consume(requestsConsumer, exportRequested, { maxInFlight: 1 }))
      const old = newId(ExportId)
      yield* scheduler.publish(exportEvent, anEvent(old))
      yield* Queue.take(events)
      const { url } = yield* lab.server
      const nc = yield* Effect.promise(() => connect({ servers: url, user: "scheduler", pass: PASSWORDS.scheduler }))
      yield* Effect.promise(() => nc.request("$JS.API.STREAM.DELETE.EVENTS"))
      yield* Effect.promise(() => nc.request("$JS.API.STREAM.DELETE.EXPORTS"))
      yield* Effect.promise(() => nc.close())
      yield* scheduler.ensureTopology
      yield* scheduler.ensureConsumer(requestsConsumer)
      const fresh = newId(ExportId)
      yield* scheduler.publish(exportEvent, anEvent(fresh))
      const event = yield* Queue.take(events)
      assert.deepStrictEqual([event.body.exportId, event.sequence], [fresh, 1])
      yield* scheduler.publish(exportRequested, { v: 1, exportId: fresh, userId: USER })
      const request = yield* Queue.take(requests)
      assert.strictEqual(request.body.exportId, fresh)
      yield* request.ack
    }).pipe(Effect.provide(Lab.layer))
  )

  it.live("answers with an error whoever asks on a connection that was closed before its first question", () =>
    Effect.gen(function* () {
      const { url } = yield* (yield* Lab).server
      const nc = yield* Effect.promise(() => connect({ servers: url, user: "scheduler", pass: PASSWORDS.scheduler }))
      yield* Effect.promise(() => nc.close())
      const [answer] = yield* askAll(nc, () => "_INBOX_scheduler.x", "publish", [{ subject: "a", payload: "" }], 1000)
      assert.isTrue(answer !== undefined && Exit.hasFails(answer))
    }).pipe(Effect.provide(Lab.layer))
  )

  it.live("fails a pull, and ends the wait for an ack, when the server dies", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      yield* scheduler.ensureConsumer(consumer)
      yield* scheduler.publish(taskMessage, aTask({ pool }))
      const inHand = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
      const waiting = yield* taken(scheduler.pull(consumer, taskMessage, 60_000).pipe(Effect.flip, Effect.forkChild))
      yield* Effect.sleep(50)
      yield* lab.kill
      const killed = performance.now()
      assert.strictEqual((yield* Fiber.join(waiting)).operation, "consume")
      assert.strictEqual((yield* inHand.ack.pipe(Effect.flip)).operation, "ack")
      // By the connection's end, and not by any time-out.
      assert.isBelow(performance.now() - killed, 20_000)
      yield* inHand.working
      yield* inHand.giveBack(1000)
    }).pipe(Effect.provide(Lab.layer))
  )
})
