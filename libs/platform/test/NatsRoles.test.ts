import { assert, layer } from "@effect/vitest"
import { ExportId, newId, NodeId } from "@reelay/contracts/Ids"
import {
  control,
  exportEvent,
  exportProgress,
  exportRequested,
  queueOrder,
  taskMessage,
  taskProgress,
  taskResult
} from "@reelay/contracts/messages/Messages"
import {
  EVENTS,
  inboxPrefix,
  poolConsumer,
  PROGRESS,
  requestsConsumer,
  resultsConsumer,
  ROLES
} from "@reelay/contracts/messages/Topology"
import type { Role } from "@reelay/contracts/messages/Topology"
import { PoolName } from "@reelay/contracts/Plan"
import { Effect, Option, Queue, Stream } from "effect"
import { connect, PermissionViolationError } from "nats"
import { aKey, aResult, aTask, anAdvertisement, anExportProgress, Lab, NODE, PASSWORDS, taken, USER } from "./BusLab.ts"

/** The role at the protocol's level: what of all this does the server refuse? */
const refused = Effect.fnUntraced(function* (
  role: Role,
  tries: { readonly publish?: ReadonlyArray<string>; readonly subscribe?: ReadonlyArray<string> }
) {
  const { url } = yield* (yield* Lab).server
  return yield* Effect.promise(async () => {
    const nc = await connect({
      servers: url,
      user: role,
      pass: PASSWORDS[role],
      inboxPrefix: inboxPrefix(role),
      reconnect: false
    })
    const refusals: Array<string> = []
    const listening = (async () => {
      for await (const status of nc.status()) {
        if (status.type === "error" && status.error instanceof PermissionViolationError) {
          refusals.push(`${status.error.operation} ${status.error.subject}`)
        }
      }
    })()
    for (const subject of tries.publish ?? []) nc.publish(subject, "{}")
    for (const subject of tries.subscribe ?? []) {
      nc.subscribe(subject, {
        callback: (error) => {
          if (error instanceof PermissionViolationError) refusals.push(`${error.operation} ${error.subject}`)
        }
      })
    }
    // The server answers in order: what it refuses it has said by then.
    await nc.flush()
    await nc.close()
    await listening
    return [...new Set(refusals)].toSorted()
  })
})

const allOf = (tries: { readonly publish?: ReadonlyArray<string>; readonly subscribe?: ReadonlyArray<string> }) =>
  [
    ...(tries.publish ?? []).map((subject) => `publish ${subject}`),
    ...(tries.subscribe ?? []).map((subject) => `subscription ${subject}`)
  ].toSorted()

/** What nobody but the scheduler may do. */
const management = [
  "$JS.API.STREAM.CREATE.MINE",
  "$JS.API.STREAM.DELETE.EVENTS",
  "$JS.API.STREAM.PURGE.TASKS",
  "$JS.API.STREAM.UPDATE.TASKS",
  "$JS.API.STREAM.MSG.GET.RESULTS",
  "$JS.API.STREAM.MSG.DELETE.EVENTS",
  "$JS.API.DIRECT.GET.KV_nodes",
  "$JS.API.STREAM.INFO.RESULTS",
  "$JS.API.STREAM.NAMES",
  "$JS.API.CONSUMER.CREATE.TASKS.mine",
  "$JS.API.CONSUMER.CREATE.RESULTS.mine.results.>",
  "$JS.API.CONSUMER.DURABLE.CREATE.TASKS.mine",
  "$JS.API.CONSUMER.DELETE.TASKS.pool-roles",
  "$JS.API.CONSUMER.MSG.NEXT.RESULTS.scheduler-results",
  "$JS.ACK.RESULTS.scheduler-results.1.1.1.1.1",
  "$JS.API.CONSUMER.MSG.NEXT.EXPORTS.scheduler-requests",
  "$KV.other.key",
  "anything"
]
const othersInboxes = (role: Role) => ROLES.filter((other) => other !== role).map((other) => `${inboxPrefix(other)}.>`)
const eavesdropping = ["tasks.>", "results.>", "exports.requested", "$JS.>", ">", "_INBOX.>"]

layer(Lab.layer, { excludeTestServices: true })("NATS roles", (it) => {
  const pool = PoolName.make("roles")
  const consumer = poolConsumer(pool)

  it.effect("let the farm do its work", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const scheduler = yield* lab.bus("scheduler")
      const api = yield* lab.bus("api")
      const encoder = yield* lab.bus("encoder")
      const notifier = yield* lab.bus("notifier")
      yield* Effect.forEach([consumer, requestsConsumer, resultsConsumer], scheduler.ensureConsumer)
      const exportId = newId(ExportId)

      yield* api.publish(exportRequested, { v: 1, exportId, userId: USER })
      const request = yield* taken(scheduler.pull(requestsConsumer, exportRequested, 5000))
      yield* request.ack

      const task = aTask({ pool, exportId })
      yield* scheduler.publish(taskMessage, task)
      const claimed = yield* taken(encoder.pull(consumer, taskMessage, 5000))
      yield* claimed.working
      yield* claimed.giveBack()
      const again = yield* taken(encoder.pull(consumer, taskMessage, 5000))
      yield* encoder.broadcast(taskProgress, {
        v: 1,
        exportId,
        epoch: 1,
        task: aKey(),
        nodeId: NODE,
        frames: 1,
        speed: null
      })
      yield* encoder.publish(taskResult, aResult({ exportId }))
      yield* again.ack
      const result = yield* taken(scheduler.pull(resultsConsumer, taskResult, 5000))
      yield* result.ack

      const heard = yield* Queue.unbounded<string>()
      yield* encoder.subscribe(control).pipe(
        Stream.runForEach((m) => Queue.offer(heard, m._tag)),
        Effect.forkScoped
      )
      yield* api
        .broadcast(control, { _tag: "Cancel", v: 1, exportId })
        .pipe(Effect.andThen(Effect.sleep(20)), Effect.forever, Effect.raceFirst(Queue.take(heard)))

      yield* encoder.advertise(anAdvertisement(NODE))
      yield* scheduler.publish(exportEvent, { v: 1, exportId, userId: USER, epoch: 1, status: "completed" })
      yield* scheduler.publish(exportProgress, anExportProgress(exportId))
      yield* scheduler.publish(queueOrder, { v: 1, waiting: [exportId] })
      for (const reader of [api, notifier]) {
        const node = yield* reader.nodes.pipe(Stream.runHead)
        assert.strictEqual(Option.getOrThrow(node).id, NODE)
        const progress = yield* reader.watch(PROGRESS, exportProgress).pipe(Stream.runHead)
        assert.strictEqual(Option.getOrThrow(progress).body.exportId, exportId)
        const order = yield* reader.watch(PROGRESS, queueOrder).pipe(Stream.runHead)
        assert.deepStrictEqual(Option.getOrThrow(order).body.waiting, [exportId])
      }
      const event = yield* notifier.follow(EVENTS, exportEvent, 0).pipe(Stream.runHead)
      assert.strictEqual(Option.getOrThrow(event).body.exportId, exportId)
      assert.strictEqual((yield* notifier.streamState(EVENTS)).last, 1)
      yield* encoder.withdraw(NodeId.make("node-1"))
    })
  )

  it.effect("let an encoder do nothing else", () =>
    Effect.gen(function* () {
      const forbidden = {
        publish: [
          ...management,
          "exports.requested",
          "exports.control",
          "tasks.roles.export.key",
          "events.export",
          "progress.export",
          "progress.export.task.more",
          "queue.order",
          "_INBOX_scheduler.answer",
          "$JS.API.CONSUMER.CREATE.EVENTS.mine",
          "$JS.API.CONSUMER.CREATE.PROGRESS.mine",
          "$JS.API.CONSUMER.CREATE.KV_nodes.mine",
          "$JS.API.STREAM.INFO.TASKS"
        ],
        subscribe: [...eavesdropping, ...othersInboxes("encoder"), "events.>", "progress.>", "$KV.nodes.>", "exports.*"]
      }
      assert.deepStrictEqual(yield* refused("encoder", forbidden), allOf(forbidden))
      // The same hand is not refused what it needs: the test above can tell the difference.
      const allowed = {
        publish: ["progress.export.task", "$JS.API.CONSUMER.INFO.TASKS.pool-roles"],
        subscribe: ["exports.control", "_INBOX_encoder.>"]
      }
      assert.deepStrictEqual(yield* refused("encoder", allowed), [])
    })
  )

  it.effect("let the api ring, cancel and look, and nothing else", () =>
    Effect.gen(function* () {
      const forbidden = {
        publish: [
          ...management,
          "tasks.roles.export.key",
          "results.export.key",
          "events.export",
          "progress.export",
          "queue.order",
          "$KV.nodes.node-1",
          "$JS.API.CONSUMER.CREATE.EVENTS.mine",
          "$JS.ACK.TASKS.pool-roles.1.1.1.1.1"
        ],
        subscribe: [...eavesdropping, ...othersInboxes("api"), "events.>", "exports.control"]
      }
      assert.deepStrictEqual(yield* refused("api", forbidden), allOf(forbidden))
    })
  )

  it.effect("let the notifier listen only", () =>
    Effect.gen(function* () {
      const forbidden = {
        publish: [
          ...management,
          "exports.requested",
          "exports.control",
          "tasks.roles.export.key",
          "results.export.key",
          "events.export",
          "progress.export",
          "queue.order",
          "$KV.nodes.node-1"
        ],
        subscribe: [...eavesdropping, ...othersInboxes("notifier"), "exports.control"]
      }
      assert.deepStrictEqual(yield* refused("notifier", forbidden), allOf(forbidden))
    })
  )

  it.effect("let nobody in without a password, or with another's", () =>
    Effect.gen(function* () {
      const { url } = yield* (yield* Lab).server
      const enters = (user: string | undefined, pass: string | undefined) =>
        Effect.promise(() =>
          connect({
            servers: url,
            reconnect: false,
            ...(user === undefined ? {} : { user }),
            ...(pass === undefined ? {} : { pass })
          }).then(
            (nc) => nc.close().then(() => true),
            () => false
          )
        )
      assert.isFalse(yield* enters(undefined, undefined))
      assert.isFalse(yield* enters("encoder", PASSWORDS.api))
      assert.isFalse(yield* enters("admin", ""))
      assert.isTrue(yield* enters("encoder", PASSWORDS.encoder))
    })
  )
})
