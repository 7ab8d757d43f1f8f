import * as NodeWS from "@effect/platform-node/NodeWS"
import { assert, layer } from "@effect/vitest"
import { PAUSED } from "@reelay/contracts/Export"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import { exportProgress, queueOrder } from "@reelay/contracts/messages/Messages"
import type { ServerMessage } from "@reelay/contracts/Socket"
import { LOCAL_USER } from "@reelay/platform/Auth"
import { exports_ } from "@reelay/platform/Tables"
import { eq, sql } from "drizzle-orm"
import { Effect, Queue } from "effect"
import { aProgress, connectTo, Lab, next, quiet, stateOf } from "./NotifierLab.ts"

const me = LOCAL_USER
const other = UserId.make("somebody-else")
const ALL = { type: "subscribe", exports: "all" }

layer(Lab.layerWith({ REELAY_AUTH: "local" }), { excludeTestServices: true })("the notifier", (it) => {
  it.effect("shows what is there, then every change, with cursors", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const mine = yield* lab.anExport(me)
      const theirs = yield* lab.anExport(other)
      const client = yield* connectTo(lab.url)
      client.send(ALL)
      const snapshot = yield* next(client, "snapshot")
      const ids = snapshot.exports.map(({ id }) => id)
      assert.include(ids, mine)
      assert.notInclude(ids, theirs)
      assert.strictEqual(snapshot.exports.find(({ id }) => id === mine)?.status, "pending")

      yield* lab.happen(other, theirs, "processing")
      yield* lab.happen(me, mine, "processing")
      const first = yield* next(client, "state")
      assert.deepStrictEqual(stateOf(first), [mine, "processing", 1])
      assert.notStrictEqual(first.cursor, snapshot.cursor)
      yield* lab.happen(me, mine, "completed")
      const second = yield* next(client, "state")
      assert.deepStrictEqual(stateOf(second), [mine, "completed", 1])
      assert.strictEqual(second.export.outputs[0]?.frames, 250)
      assert.notStrictEqual(second.cursor, first.cursor)
    })
  )

  it.effect("tells of named exports only, and keeps silent about other people's", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [named, unnamed] = [yield* lab.anExport(me), yield* lab.anExport(me)]
      const theirs = yield* lab.anExport(other)
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [named, theirs, newId(ExportId)] })
      const snapshot = yield* next(client, "snapshot")
      assert.deepStrictEqual(
        snapshot.exports.map(({ id }) => id),
        [named]
      )
      yield* lab.happen(other, theirs, "processing")
      yield* lab.happen(me, unnamed, "processing")
      // Events that lie about whose export it is show nobody anything either.
      yield* lab.say(me, theirs, "processing", 1)
      yield* lab.happen(me, named, "processing")
      assert.deepStrictEqual(stateOf(yield* next(client, "state")), [named, "processing", 1])
      const rest = yield* quiet(client)
      assert.deepStrictEqual(
        rest.filter((message) => message.type !== "ping"),
        []
      )
    })
  )

  it.effect("forgets what ended long ago, unless it is named", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const old = yield* lab.anExport(me)
      yield* lab.silently(old, "cancelled")
      // The trigger stamps every update, so time is turned back behind its back.
      yield* lab.database.transaction("age", async (tx) => {
        await tx.execute(sql`set local session_replication_role = replica`)
        await tx
          .update(exports_)
          .set({ updatedAt: sql`now() - interval '25 hours'` })
          .where(eq(exports_.id, old))
      })
      const client = yield* connectTo(lab.url)
      client.send(ALL)
      const all = yield* next(client, "snapshot")
      assert.notInclude(
        all.exports.map(({ id }) => id),
        old
      )
      client.send({ type: "subscribe", exports: [old] })
      const one = yield* next(client, "snapshot")
      assert.deepStrictEqual(
        one.exports.map(({ id }) => id),
        [old]
      )
    })
  )

  it.effect("resumes from a cursor: what was missed, and nothing else", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const user = me
      const [missed, before] = [yield* lab.anExport(user), yield* lab.anExport(user)]
      const first = yield* connectTo(lab.url)
      first.send(ALL)
      yield* next(first, "snapshot")
      yield* lab.happen(user, before, "processing")
      const { cursor } = yield* next(first, "state")
      first.socket.terminate()

      yield* lab.happen(user, missed, "processing")
      yield* lab.happen(user, missed, "failed")
      // This one's event is lost, the row is not.
      yield* lab.silently(before, "completed")

      const second = yield* connectTo(lab.url)
      second.send({ ...ALL, since: cursor })
      const told: Array<ServerMessage> = []
      // The last of the replay moves the cursor on.
      while (true) {
        const message = yield* Queue.take(second.told).pipe(Effect.timeout("40 seconds"))
        told.push(message)
        if (message.type !== "state" || message.cursor !== cursor) break
      }
      assert.isTrue(
        told.every(({ type }) => type === "state"),
        told.map(({ type }) => type).join()
      )
      const states = new Map(
        told.flatMap((message) => (message.type === "state" ? [[message.export.id, message.export.status]] : []))
      )
      assert.strictEqual(states.get(missed), "failed")
      assert.strictEqual(states.get(before), "completed")
      for (const unknown of ["nonsense", "nonsense:7", `${cursor}9999`, 12, "", null]) {
        const third = yield* connectTo(lab.url)
        third.send({ ...ALL, since: unknown })
        const answer = yield* Queue.take(third.told)
        assert.strictEqual(answer.type, "snapshot", String(unknown))
      }
    })
  )

  it.effect("tells what no event told", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const mine = yield* lab.anExport(me)
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [mine] })
      yield* next(client, "snapshot")
      yield* lab.silently(mine, "processing")
      assert.deepStrictEqual(stateOf(yield* next(client, "state")), [mine, "processing", 1])
      yield* lab.silently(mine, "cancelled")
      assert.deepStrictEqual(stateOf(yield* next(client, "state")), [mine, "cancelled", 1])
    })
  )

  it.effect("says when an export is no longer there", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const mine = yield* lab.anExport(me)
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [mine] })
      yield* next(client, "snapshot")
      yield* lab.silently(mine, "cancelled")
      yield* lab.database.query("delete", (db) => db.delete(exports_).where(eq(exports_.id, mine)))
      yield* lab.say(me, mine, "cancelled", 0)
      assert.strictEqual((yield* next(client, "gone")).exportId, mine)
    })
  )

  /** Its row becomes one that nobody here can read. */
  const spoil = (id: ExportId) =>
    Effect.gen(function* () {
      const lab = yield* Lab
      yield* lab.database.transaction("break", async (tx) => {
        await tx.execute(sql`set local session_replication_role = replica`)
        await tx.execute(sql`update exports set settings = '{"resolution": 7}' where id = ${id}`)
      })
    })

  it.effect("does not call gone what is there and cannot be read, neither after an event nor on its own", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [broken, whole] = [yield* lab.anExport(me), yield* lab.anExport(me)]
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [broken, whole] })
      yield* next(client, "snapshot")
      yield* spoil(broken)
      yield* lab.say(me, broken, "processing", 1)
      // Told by a look at all that is active, which has seen the other by then.
      yield* lab.silently(whole, "processing")
      const told: Array<ServerMessage> = []
      const until = (type: ServerMessage["type"]) =>
        Queue.take(client.told).pipe(
          Effect.tap((message) => Effect.sync(() => told.push(message))),
          Effect.repeat({ until: (message) => message.type === type }),
          Effect.timeout("10 seconds")
        )
      yield* until("state")
      // Answered after all that was told before.
      client.send("nonsense")
      yield* until("error")
      assert.notInclude(
        told.map(({ type }) => type),
        "gone"
      )
    })
  )

  it.effect("leaves out a row that cannot be read, and shows the others", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [broken, whole] = [yield* lab.anExport(me), yield* lab.anExport(me)]
      yield* spoil(broken)
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [broken, whole] })
      assert.deepStrictEqual(
        (yield* next(client, "snapshot")).exports.map(({ id }) => id),
        [whole]
      )
      yield* lab.happen(me, whole, "processing")
      assert.deepStrictEqual(stateOf(yield* next(client, "state")), [whole, "processing", 1])
    })
  )

  it.effect("passes on progress, at most four times a second and the latest at last", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [mine, theirs] = [yield* lab.anExport(me), yield* lab.anExport(other)]
      const client = yield* connectTo(lab.url)
      client.send(ALL)
      yield* next(client, "snapshot")
      yield* lab.happen(me, mine, "processing")
      yield* next(client, "state")
      const started = performance.now()
      for (let percent = 1; percent <= 80; percent++) {
        yield* lab.scheduler.broadcast(exportProgress, {
          v: 1,
          exportId: theirs,
          userId: other,
          progress: aProgress({ percent })
        })
        yield* lab.scheduler.broadcast(exportProgress, {
          v: 1,
          exportId: mine,
          userId: me,
          progress: aProgress({ percent })
        })
        yield* Effect.sleep(10)
      }
      const seen: Array<number> = []
      while (seen.at(-1) !== 80) {
        const { exportId, progress } = yield* next(client, "progress")
        assert.strictEqual(exportId, mine)
        seen.push(progress.percent)
      }
      const seconds = (performance.now() - started) / 1000
      assert.isAtMost(seen.length, Math.ceil(seconds * 4) + 1)
      assert.isAtLeast(seen.length, 2)
      assert.deepStrictEqual(
        seen,
        seen.toSorted((a, b) => a - b)
      )
      // Who comes now sees at once how far it is.
      const late = yield* connectTo(lab.url)
      late.send({ type: "subscribe", exports: [mine] })
      const snapshot = yield* next(late, "snapshot")
      assert.strictEqual(snapshot.exports[0]?.progress?.percent, 80)
    })
  )

  it.effect("tells places in the queue as they move", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [first, second] = [yield* lab.anExport(me), yield* lab.anExport(me)]
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [second] })
      yield* next(client, "snapshot")
      yield* lab.scheduler.broadcast(queueOrder, { v: 1, waiting: [first, second] })
      const waiting = yield* next(client, "progress")
      assert.deepStrictEqual(
        [waiting.exportId, waiting.progress.status, waiting.progress.queuePosition, waiting.progress.framesTotal],
        [second, "pending", 2, 250]
      )
      yield* lab.scheduler.broadcast(queueOrder, { v: 1, waiting: [second] })
      assert.strictEqual((yield* next(client, "progress")).progress.queuePosition, 1)
      // Paused, it waits at the same place, and is told why.
      yield* lab.scheduler.broadcast(queueOrder, { v: 1, waiting: [second], paused: true })
      const { progress } = yield* next(client, "progress")
      assert.deepInclude(progress, { queuePosition: 1, paused: true, message: PAUSED })
      yield* lab.scheduler.broadcast(queueOrder, { v: 1, waiting: [second], paused: false })
      assert.strictEqual((yield* next(client, "progress")).progress.message, "Next in the queue")
    })
  )

  it.effect("answers nonsense with an error, and goes on", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const client = yield* connectTo(lab.url)
      for (const nonsense of [
        "",
        "{",
        "null",
        "[]",
        `"subscribe"`,
        `{"type":"dance"}`,
        `{"type":"subscribe"}`,
        `{"type":"subscribe","exports":["x"]}`,
        `{"type":"subscribe","exports":"some"}`
      ]) {
        client.send(nonsense)
        const error = yield* next(client, "error")
        assert.strictEqual(error.code, "validation", nonsense)
      }
      client.socket.send(new Uint8Array([0xff, 0x00, 0x80]))
      yield* next(client, "error")
      // A flood of it: not all are answered, and nothing breaks.
      for (let i = 0; i < 2000; i++) client.send("{")
      client.send(ALL)
      yield* next(client, "snapshot")

      const huge = yield* connectTo(lab.url)
      huge.send("x".repeat(300 * 1024))
      assert.strictEqual(yield* Effect.promise(() => huge.ended), 1009)
      const after = yield* connectTo(lab.url)
      after.send(ALL)
      yield* next(after, "snapshot")
    })
  )

  it.effect("lets a client change what it listens to", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [a, b] = [yield* lab.anExport(me), yield* lab.anExport(me)]
      const client = yield* connectTo(lab.url)
      client.send({ type: "subscribe", exports: [a] })
      yield* next(client, "snapshot")
      client.send({ type: "subscribe", exports: [b] })
      assert.deepStrictEqual(
        (yield* next(client, "snapshot")).exports.map(({ id }) => id),
        [b]
      )
      yield* lab.happen(me, a, "processing")
      yield* lab.happen(me, b, "processing")
      assert.deepStrictEqual(stateOf(yield* next(client, "state")), [b, "processing", 1])
    })
  )

  it.effect("brings a client that stopped reading up to date, and lets nobody else wait for it", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const mine = yield* lab.anExport(me)
      const slow = yield* connectTo(lab.url)
      const quick = yield* connectTo(lab.url)
      quick.send({ type: "subscribe", exports: [mine] })
      yield* next(quick, "snapshot")
      slow.send(ALL)
      yield* next(slow, "snapshot")
      yield* lab.happen(me, mine, "processing")
      yield* next(slow, "state")
      slow.socket.pause()
      // What the network itself takes in (megabytes on loopback) is filled up with snapshots.
      const named = [mine, ...Array.from({ length: 200 }, () => newId(ExportId))]
      for (let i = 0; i < 150; i++) slow.send(i % 2 === 0 ? ALL : { type: "subscribe", exports: named })
      for (let percent = 1; percent <= 60; percent++) {
        yield* lab.scheduler.broadcast(exportProgress, {
          v: 1,
          exportId: mine,
          userId: me,
          progress: aProgress({ percent })
        })
      }
      yield* lab.happen(me, mine, "failed")
      // Another one is not held up by it.
      assert.deepStrictEqual(stateOf(yield* next(quick, "state")).slice(1), ["processing", 1])
      assert.deepStrictEqual(stateOf(yield* next(quick, "state")).slice(1), ["failed", 1])
      slow.socket.resume()
      const failed = (message: ServerMessage): boolean => {
        const told = message.type === "snapshot" ? message.exports : message.type === "state" ? [message.export] : []
        return told.some(({ id, status }) => id === mine && status === "failed")
      }
      yield* Queue.take(slow.told).pipe(Effect.repeat({ until: failed }), Effect.timeout("40 seconds"))
    })
  )

  it.effect("hears pages of this machine only", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const status = (options: NodeWS.ClientOptions) =>
        Effect.callback<number>((resume) => {
          const socket = new NodeWS.WebSocket(lab.url, options)
          socket.on("unexpected-response", (request, response) => {
            request.destroy()
            resume(Effect.succeed(response.statusCode ?? 0))
          })
          socket.on("open", () => {
            socket.terminate()
            resume(Effect.succeed(101))
          })
          socket.on("error", () => {})
        })
      assert.strictEqual(yield* status({ origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* status({ headers: { host: "rebound.example" } }), 403)
      assert.strictEqual(yield* status({ origin: `http://127.0.0.1:${lab.port}` }), 101)
      assert.strictEqual(yield* status({}), 101)
    })
  )

  it.effect("says how it is", () =>
    Effect.gen(function* () {
      const { http } = yield* Lab
      const get = (path: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${http}${path}`)
          return { status: response.status, type: response.headers.get("content-type"), text: await response.text() }
        })
      assert.deepStrictEqual(JSON.parse((yield* get("/health/live")).text), { status: "live" })
      assert.deepStrictEqual(JSON.parse((yield* get("/health/ready")).text), { status: "ready" })
      const metrics = yield* get("/metrics")
      assert.strictEqual(metrics.status, 200)
      assert.include(metrics.text, "reelay_websocket_connections")
      for (const [path, expected] of [
        ["/ws", 426],
        ["/nothing", 404],
        ["/", 404]
      ] as const) {
        const { status, text, type } = yield* get(path)
        assert.strictEqual(status, expected, path)
        assert.include(type ?? "", "application/problem+json")
        assert.strictEqual(JSON.parse(text).status, expected)
      }
    })
  )
})
