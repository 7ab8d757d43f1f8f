import { assert, layer } from "@effect/vitest"
import { jetstreamManager } from "@nats-io/jetstream"
import { ExportId, newId, NodeId } from "@reelay/contracts/Ids"
import type { Message } from "@reelay/contracts/messages/Message"
import {
  control,
  exportEvent,
  exportProgress,
  exportRequested,
  nodeAdvertisement,
  queueOrder,
  taskMessage,
  taskProgress,
  taskResult
} from "@reelay/contracts/messages/Messages"
import type { Control, ExportEvent } from "@reelay/contracts/messages/Messages"
import {
  EVENTS,
  EXPORTS,
  NODE_TTL,
  NODES_STREAM,
  poolConsumer,
  PROGRESS,
  requestsConsumer,
  resultsConsumer,
  RESULTS,
  TASKS
} from "@reelay/contracts/messages/Topology"
import { PoolName } from "@reelay/contracts/Plan"
import { MAX_PAYLOAD } from "@reelay/platform/NatsConfig"
import { Effect, Exit, Fiber, Metric, Queue, Schema, Scope, Stream } from "effect"
import { execa } from "execa"
import { connect } from "nats"
import { fileURLToPath } from "node:url"
import {
  aResult,
  aTask,
  anAdvertisement,
  anExportProgress,
  connected,
  Lab,
  NODE,
  PASSWORDS,
  taken,
  USER
} from "./BusLab.ts"

/** A consumer of this test alone: a pool of its own, and an ack wait that a test can outlive. */
const aPool = (name: string, ackWait = 30) => ({
  pool: PoolName.make(name),
  consumer: poolConsumer(PoolName.make(name), ackWait)
})

/** A hand that has every permission and knows nothing of Reelay. */
const rawConnection = Effect.gen(function* () {
  const { url } = yield* (yield* Lab).server
  const nc = yield* Effect.acquireRelease(
    Effect.promise(() => connect({ servers: url, user: "scheduler", pass: PASSWORDS.scheduler })),
    (nc) => Effect.promise(() => nc.close())
  )
  return { nc, manager: yield* Effect.promise(() => jetstreamManager(nc)) }
})
const rawPublisher = Effect.map(
  rawConnection,
  ({ nc }) =>
    (subject: string, data: string) =>
      Effect.promise(() => {
        nc.publish(subject, data)
        return nc.flush()
      })
)

const rejections = (message: string, reason: string) =>
  Metric.value(
    Metric.withAttributes(
      Metric.counter("reelay_messages_rejected_total", {
        description: "Messages from NATS that were not understood, by message and reason",
        incremental: true
      }),
      { message, reason }
    )
  ).pipe(Effect.map((state) => state.count))

layer(Lab.layer, { excludeTestServices: true })("Bus", (it) => {
  it.effect("settles each message once: acknowledged is gone, given back comes again, working keeps it", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const { consumer, pool } = aPool("settle", 3)
      yield* scheduler.ensureConsumer(consumer)
      yield* scheduler.ensureConsumer(consumer)
      const task = aTask({ pool })
      yield* scheduler.publish(taskMessage, task)

      const first = yield* taken(encoder.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(first.body, task)
      assert.strictEqual(first.subject, taskMessage.subject(task))
      assert.strictEqual(first.deliveries, 1)
      yield* first.giveBack()

      const second = yield* taken(encoder.pull(consumer, taskMessage, 30_000))
      assert.strictEqual(second.deliveries, 2)
      // Longer than the ack wait, and it is still ours.
      yield* second.working.pipe(Effect.andThen(Effect.sleep(250)), Effect.repeat({ times: 13 }))
      assert.isNull(yield* encoder.pull(consumer, taskMessage, 300))
      yield* second.ack
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.${pool}.>`), [])
    })
  )

  it.effect("drops a repeated publish of one dispatch, and takes a fresh one after a purge", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const { consumer, pool } = aPool("purge")
      yield* scheduler.ensureConsumer(consumer)
      const task = aTask({ pool, dispatch: "1" })
      yield* scheduler.publish(taskMessage, task)
      yield* scheduler.publish(taskMessage, task)
      const subject = taskMessage.subject(task)
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.*.${task.exportId}.*`), [subject])
      yield* scheduler.purge(TASKS, `tasks.*.${task.exportId}.*`)
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.*.${task.exportId}.*`), [])
      // Why dispatches are part of the id: this one vanishes.
      yield* scheduler.publish(taskMessage, task)
      assert.isNull(yield* scheduler.pull(consumer, taskMessage, 300))
      yield* scheduler.publish(taskMessage, { ...task, dispatch: "2" })
      const got = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
      assert.strictEqual(got.body.dispatch, "2")
      yield* got.ack
      assert.isNull(yield* scheduler.pull(consumer, taskMessage, 300))
    })
  )

  it.effect("brings a task to another worker when the first is killed", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const { consumer, pool } = aPool("killed", 2)
      yield* scheduler.ensureConsumer(consumer)
      const task = aTask({ pool })
      yield* scheduler.publish(taskMessage, task)
      const { environment } = yield* lab.server
      const worker = execa(process.execPath, [fileURLToPath(new URL("./stuckWorker.ts", import.meta.url)), pool, "2"], {
        env: environment("encoder"),
        reject: false
      })
      // It says so when it holds the task, and never settles it.
      yield* Effect.promise(
        () =>
          new Promise<void>((held) => {
            worker.stdout.on("data", (bytes) => (String(bytes).includes("holding") ? held() : undefined))
          })
      )
      worker.kill("SIGKILL")
      yield* Effect.promise(() => worker)
      const encoder = yield* lab.bus("encoder")
      const got = yield* taken(encoder.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(got.body, task)
      assert.isAbove(got.deliveries ?? 0, 1)
      yield* got.ack
    })
  )

  it.effect("gives back at once what an interrupted pull receives", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const { consumer, pool } = aPool("interrupted", 60)
      yield* scheduler.ensureConsumer(consumer)
      // Publish and interrupt race each other: whoever wins, no message may hang in its ack wait.
      for (let round = 0; round < 40; round++) {
        const waiting = yield* taken(encoder.pull(consumer, taskMessage, 20_000).pipe(Effect.forkChild))
        if (round % 2 === 0) yield* encoder.pull(consumer, taskMessage, 1)
        const publishing = yield* scheduler.publish(taskMessage, aTask({ pool })).pipe(Effect.forkChild)
        if (round % 4 === 3) yield* Fiber.join(publishing)
        yield* Fiber.interrupt(waiting)
        yield* Fiber.join(publishing)
        const early = yield* Fiber.await(waiting)
        if (Exit.isSuccess(early) && early.value !== null) yield* early.value.ack
        else {
          const got = yield* taken(encoder.pull(consumer, taskMessage, 30_000))
          assert.isNotNull(got, `round ${round}: the message hangs`)
          yield* got.ack
        }
      }
    })
  )

  it.effect("has at most maxInFlight messages unsettled, and returns what a closed reader had not taken", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const { consumer, pool } = aPool("flight", 60)
      yield* scheduler.ensureConsumer(consumer)
      const tasks = Array.from({ length: 10 }, () => aTask({ pool }))
      yield* Effect.forEach(tasks, (task) => scheduler.publish(taskMessage, task), { discard: true })
      const seen = yield* Queue.unbounded<Effect.Effect<void, unknown>>()
      const reading = yield* scheduler.consume(consumer, taskMessage, { maxInFlight: 3 }).pipe(
        Stream.runForEach((delivery) => Queue.offer(seen, delivery.ack)),
        Effect.forkChild
      )
      const first = yield* Queue.takeN(seen, 3)
      assert.isNull(
        yield* Queue.take(seen).pipe(Effect.timeoutOrElse({ duration: 300, orElse: () => Effect.succeed(null) }))
      )
      const [settledLater, ...settledNow] = first
      yield* Effect.all(settledNow)
      const next = yield* Queue.takeN(seen, 2)
      yield* Fiber.interrupt(reading)
      yield* Effect.all([settledLater ?? Effect.die("three were taken"), ...next])
      // Five are settled; the other five are free at once, though the ack wait is a minute.
      for (let left = 5; left > 0; left--) {
        const got = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
        assert.isNotNull(got)
        yield* got.ack
      }
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.${pool}.>`), [])
    })
  )

  it.effect("outlives poison and newer messages on every subject", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const raw = yield* rawPublisher
      const { consumer, pool } = aPool("poison")
      yield* Effect.forEach([consumer, requestsConsumer, resultsConsumer], scheduler.ensureConsumer, { discard: true })

      const spoil = Effect.fnUntraced(function* <A extends { readonly v: number }, I>(message: Message<A, I>, body: A) {
        const subject = message.subject(body)
        const encoded: unknown = yield* Schema.encodeEffect(Schema.toCodecJson(message.schema))(body)
        yield* raw(subject, "not json {")
        yield* raw(subject, JSON.stringify({ v: 1, nonsense: true }))
        yield* raw(subject, "")
        yield* raw(subject, JSON.stringify({ ...(encoded as object), v: message.version + 1, shape: "unheard of" }))
      })
      const counted = Effect.fnUntraced(function* (message: string, undecodable: number) {
        assert.isAtLeast(yield* rejections(message, "undecodable"), undecodable, message)
        assert.isAtLeast(yield* rejections(message, "newer"), 1, message)
      })
      const exportId = newId(ExportId)

      const request = { v: 1 as const, exportId, userId: USER }
      yield* spoil(exportRequested, request)
      yield* scheduler.publish(exportRequested, request)
      const requests = yield* scheduler.consume(requestsConsumer, exportRequested, { maxInFlight: 1 }).pipe(
        Stream.take(1),
        Stream.tap((delivery) => delivery.ack),
        Stream.runCollect
      )
      assert.deepStrictEqual(
        requests.map((delivery) => delivery.body),
        [request]
      )
      yield* counted("ExportRequested", 3)

      const task = aTask({ pool, exportId })
      yield* spoil(taskMessage, task)
      yield* scheduler.publish(taskMessage, task)
      const pulled = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(pulled.body, task)
      yield* pulled.ack
      yield* counted("Task", 3)

      const result = aResult({ exportId })
      yield* spoil(taskResult, result)
      yield* scheduler.publish(taskResult, result)
      const results = yield* scheduler.consume(resultsConsumer, taskResult, { maxInFlight: 16 }).pipe(
        Stream.take(1),
        Stream.tap((delivery) => delivery.ack),
        Stream.runCollect
      )
      assert.deepStrictEqual(
        results.map((delivery) => delivery.body),
        [result]
      )
      yield* counted("TaskResult", 3)

      // Of each, only the newer version is left: it waits for somebody who knows it.
      for (const [stream, filter] of [
        [EXPORTS, "exports.requested"],
        [TASKS, `tasks.${pool}.>`],
        [RESULTS, `results.${exportId}.>`]
      ] as const) {
        const subjects = yield* scheduler.subjects(stream, filter)
        assert.strictEqual(subjects.length, 1, stream)
        yield* scheduler.purge(stream, filter)
      }

      // What is read without being taken: one reader each from before the spoiling to after it.
      const sees = Effect.fnUntraced(function* <A extends { readonly v: number }, I>(
        message: Message<A, I>,
        body: NoInfer<A>,
        from: Stream.Stream<A>,
        send: Effect.Effect<void, unknown>
      ) {
        const seen = yield* Queue.unbounded<A>()
        yield* from.pipe(
          Stream.runForEach((body) => Queue.offer(seen, body)),
          Effect.forkScoped
        )
        // Readers without a past must be there first.
        yield* send.pipe(
          Effect.andThen(Queue.take(seen).pipe(Effect.timeoutOption(100))),
          Effect.repeat({ until: (got) => got._tag === "Some" })
        )
        yield* spoil(message, body)
        // What was sent to find the reader may still arrive, so only the count says that it is past the spoilt ones.
        yield* Effect.all([rejections(message.name, "undecodable"), rejections(message.name, "newer")]).pipe(
          Effect.delay(10),
          Effect.repeat({ until: ([undecodable, newer]) => undecodable >= 3 && newer >= 1 })
        )
        yield* Queue.clear(seen)
        yield* send
        assert.deepStrictEqual(yield* Queue.take(seen), body)
      })
      const event: ExportEvent = { v: 1, exportId, userId: USER, epoch: 1, status: "processing" }
      yield* sees(
        exportEvent,
        event,
        scheduler.follow(EVENTS, exportEvent, 0).pipe(Stream.map(({ body }) => body)),
        scheduler.publish(exportEvent, event)
      )
      const progress = anExportProgress(exportId)
      yield* sees(
        exportProgress,
        progress,
        scheduler.watch(PROGRESS, exportProgress).pipe(Stream.map(({ body }) => body)),
        scheduler.broadcast(exportProgress, progress)
      )
      const order = { v: 1 as const, waiting: [exportId] }
      yield* sees(
        queueOrder,
        order,
        scheduler.watch(PROGRESS, queueOrder).pipe(Stream.map(({ body }) => body)),
        scheduler.broadcast(queueOrder, order)
      )
      const frames = { v: 1 as const, exportId, epoch: 1, task: task.task, nodeId: NODE, frames: 3, speed: 1.5 }
      yield* sees(taskProgress, frames, scheduler.subscribe(taskProgress), scheduler.broadcast(taskProgress, frames))
      const cancel: Control = { _tag: "Cancel", v: 1, exportId }
      yield* sees(control, cancel, scheduler.subscribe(control), scheduler.broadcast(control, cancel))
      const advertisement = anAdvertisement(NodeId.make("poisoned"))
      yield* sees(
        nodeAdvertisement,
        advertisement,
        scheduler.nodes.pipe(
          Stream.flatMap((news) => (news.advertisement === null ? Stream.empty : Stream.succeed(news.advertisement)))
        ),
        scheduler.advertise(advertisement)
      )
    })
  )

  it.effect("brings streams and consumers of an earlier release up to date, and keeps what is in them", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const { manager } = yield* rawConnection
      const { consumer, pool } = aPool("upgraded", 30)
      yield* scheduler.ensureConsumer(consumer)
      const task = aTask({ pool })
      yield* scheduler.publish(taskMessage, task)
      const events = yield* Effect.promise(() => manager.streams.info(EVENTS))
      yield* Effect.promise(() => manager.streams.update(EVENTS, { max_age: 3600 * 1e9 }))
      yield* scheduler.ensureTopology
      const after = yield* Effect.promise(() => manager.streams.info(EVENTS))
      assert.strictEqual(after.config.max_age, events.config.max_age)
      assert.strictEqual(after.created, events.created)

      yield* scheduler.ensureConsumer({ ...consumer, ackWait: 7 })
      const info = yield* Effect.promise(() => manager.consumers.info(TASKS, consumer.durable))
      assert.strictEqual(info.config.ack_wait, 7e9)
      const got = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(got.body, task)
      yield* got.ack
    })
  )

  it.effect("ignores unknown fields", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const raw = yield* rawPublisher
      const { consumer, pool } = aPool("unknown")
      yield* scheduler.ensureConsumer(consumer)
      const task = aTask({ pool })
      yield* raw(taskMessage.subject(task), JSON.stringify({ ...task, addedLater: [1, 2, 3] }))
      const got = yield* taken(scheduler.pull(consumer, taskMessage, 30_000))
      assert.deepStrictEqual(got.body, task)
      yield* got.ack
    })
  )

  it.effect("watches the last value of each subject, then every change", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      yield* scheduler.purge(PROGRESS, "progress.*")
      const [a, b, c] = [newId(ExportId), newId(ExportId), newId(ExportId)] as const
      yield* scheduler.publish(exportProgress, anExportProgress(a, { percent: 1 }))
      yield* scheduler.publish(exportProgress, anExportProgress(b, { percent: 2 }))
      yield* scheduler.publish(taskProgress, {
        v: 1,
        exportId: a,
        epoch: 1,
        task: aTask().task,
        nodeId: NODE,
        frames: 1,
        speed: null
      })
      yield* scheduler.publish(exportProgress, anExportProgress(a, { percent: 3 }))
      const seen = yield* Queue.unbounded<readonly [string, number, boolean, boolean]>()
      yield* scheduler.watch(PROGRESS, exportProgress).pipe(
        Stream.runForEach(({ body, caughtUp, snapshot }) =>
          Queue.offer(seen, [body.exportId, body.progress.percent, snapshot, caughtUp])
        ),
        Effect.forkScoped
      )
      assert.deepStrictEqual(yield* Queue.takeN(seen, 2), [
        [b, 2, true, false],
        [a, 3, true, true]
      ])
      yield* scheduler.broadcast(exportProgress, anExportProgress(c, { percent: 4 }))
      assert.deepStrictEqual(yield* Queue.take(seen), [c, 4, false, true])
    })
  )

  it.effect("follows a stream from where one was", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const before = yield* scheduler.streamState(EVENTS)
      const ids = Array.from({ length: 5 }, () => newId(ExportId))
      const publish = (exportId: ExportId) =>
        scheduler.publish(exportEvent, { v: 1, exportId, userId: USER, epoch: 0, status: "pending" })
      yield* Effect.forEach(ids, publish, { discard: true })
      const after = yield* scheduler.streamState(EVENTS)
      assert.strictEqual(after.incarnation, before.incarnation)
      assert.strictEqual(after.last, before.last + 5)
      const seen = yield* scheduler.follow(EVENTS, exportEvent, before.last + 2).pipe(Stream.take(3), Stream.runCollect)
      assert.deepStrictEqual(
        seen.map(({ body }) => body.exportId),
        ids.slice(2)
      )
      assert.deepStrictEqual(
        seen.map(({ sequence }) => sequence),
        [3, 4, 5].map((n) => before.last + n)
      )
      assert.isTrue(seen.every(({ incarnation }) => incarnation === before.incarnation))
    })
  )

  it.effect("shows nodes as they come and go, in a bucket that forgets the silent ones", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      yield* lab.bus("scheduler")
      const encoder = yield* lab.bus("encoder")
      const api = yield* lab.bus("api")
      const [stays, leaves] = [NodeId.make("stays"), NodeId.make("leaves")]
      yield* encoder.advertise(anAdvertisement(stays))
      yield* encoder.advertise(anAdvertisement(leaves, { status: "draining" }))
      const seen = yield* Queue.unbounded<readonly [string, string | null]>()
      yield* api.nodes.pipe(
        Stream.filter(({ id }) => id === stays || id === leaves),
        Stream.runForEach(({ advertisement, id }) => Queue.offer(seen, [id, advertisement?.status ?? null])),
        Effect.forkScoped
      )
      assert.deepStrictEqual(yield* Queue.takeN(seen, 2), [
        [stays, "active"],
        [leaves, "draining"]
      ])
      yield* encoder.withdraw(leaves)
      assert.deepStrictEqual(yield* Queue.take(seen), [leaves, null])
      const { manager } = yield* rawConnection
      const bucket = yield* Effect.promise(() => manager.streams.info(NODES_STREAM))
      assert.strictEqual(bucket.config.max_age, NODE_TTL * 1e9)
    })
  )

  it.effect("publishes many at once, in order, and knows whether all of them are there", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const { consumer, pool } = aPool("many")
      yield* scheduler.ensureConsumer(consumer)
      const tasks = Array.from({ length: 300 }, () => aTask({ pool }))
      const huge = aTask({ pool, plan: "x".repeat(MAX_PAYLOAD) })
      yield* scheduler.publishAll(taskMessage, [])
      yield* scheduler.publishAll(taskMessage, tasks.slice(0, 1))
      yield* scheduler.publishAll(taskMessage, tasks.slice(1, 100))
      // One of them gets nowhere, the others do.
      const error = yield* scheduler
        .publishAll(taskMessage, [...tasks.slice(100, 200), huge, ...tasks.slice(200)])
        .pipe(Effect.flip)
      assert.strictEqual(error._tag, "BusError")
      // A work queue keeps their order; settled without a word from the server they are gone all the same.
      const seen: Array<string> = []
      yield* scheduler.consume(consumer, taskMessage, { maxInFlight: 16 }).pipe(
        Stream.take(tasks.length),
        Stream.runForEach(({ body, settle }) =>
          Effect.sync(() => {
            seen.push(body.exportId)
            settle()
          })
        )
      )
      assert.deepStrictEqual(
        seen,
        tasks.map((task) => task.exportId)
      )
      assert.deepStrictEqual(yield* scheduler.subjects(TASKS, `tasks.${pool}.>`), [])
    })
  )

  it.effect("refuses a message that is too large, and stays connected", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const huge = aTask({ plan: "x".repeat(MAX_PAYLOAD) })
      const error = yield* scheduler.publish(taskMessage, huge).pipe(Effect.flip)
      assert.strictEqual(error._tag, "BusError")
      yield* scheduler.broadcast(taskMessage, huge)
      yield* scheduler.streamState(TASKS)
      assert.isTrue(yield* scheduler.connected)
    })
  )

  it.effect("says what went wrong where nothing is there to answer", () =>
    Effect.gen(function* () {
      const scheduler = yield* (yield* Lab).bus("scheduler")
      const { consumer } = aPool("nobody-made-it")
      const error = yield* taken(scheduler.pull(consumer, taskMessage, 20_000).pipe(Effect.flip))
      assert.strictEqual(error.operation, "consume")
      assert.strictEqual((yield* scheduler.streamState("NONE").pipe(Effect.flip)).operation, "read")
    })
  )

  it.effect("is heard by all listeners, from when they listen", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const api = yield* lab.bus("api")
      const encoders = yield* Effect.all([lab.bus("encoder"), lab.bus("encoder")])
      const drain = { _tag: "Drain" as const, v: 1 as const, nodeId: NODE }
      const hearing = yield* Effect.forEach(encoders, (encoder) =>
        encoder.subscribe(control).pipe(
          Stream.filter((m) => m._tag === "Drain"),
          Stream.runHead,
          Effect.forkScoped
        )
      )
      const repeating = yield* api
        .broadcast(control, drain)
        .pipe(Effect.andThen(Effect.sleep(20)), Effect.forever, Effect.forkScoped)
      for (const fiber of hearing) {
        const heard = yield* Fiber.join(fiber)
        assert.deepStrictEqual(heard._tag === "Some" ? heard.value : null, drain)
      }
      yield* Fiber.interrupt(repeating)
    })
  )

  it.effect("goes without leaving anything open", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scope = yield* Scope.make()
      const bus = yield* lab.newBus("notifier").pipe(Effect.provideService(Scope.Scope, scope))
      yield* connected(bus)
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(yield* bus.connected)
      assert.strictEqual((yield* bus.streamState(EVENTS).pipe(Effect.flip))._tag, "BusError")
    })
  )
})
