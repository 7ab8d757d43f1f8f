import { assert, describe, it } from "@effect/vitest"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import { CLOSE, ServerMessage } from "@reelay/contracts/Socket"
import { Auth, AuthError } from "@reelay/platform/Auth"
import { Effect, Fiber, Layer, Queue, Redacted, Schema } from "effect"
import { Socket } from "effect/socket"
import { TestClock } from "effect/testing"
import { Audience } from "../src/Audience.ts"
import type { Listener } from "../src/Audience.ts"
import { serveConnection } from "../src/Connection.ts"
import { Seats, SocketSeats } from "../src/Seats.ts"
import { aProgress } from "./NotifierLab.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(ServerMessage))
const somebody = UserId.make("somebody")

/** A socket without a network beneath: what is full and what is slow is the test's to say. */
const aConnection = Effect.fnUntraced(function* (caller: UserId | null, seats = new Seats(100)) {
  const incoming = yield* Queue.unbounded<readonly [string], Socket.SocketError>()
  const sent = yield* Queue.unbounded<ServerMessage>()
  const closed: Array<number> = []
  const wire = {
    writableLength: 0,
    destroyed: false,
    destroy() {
      wire.destroyed = true
      return wire
    }
  }
  const write = (chunk: string | Uint8Array | Socket.CloseEvent) =>
    Effect.sync(() => {
      if (chunk instanceof Socket.CloseEvent) closed.push(chunk.code)
      else Queue.offerUnsafe(sent, decode(String(chunk)))
    })
  const socket = Socket.make({
    reader: Effect.succeed({ pull: Queue.take(incoming), upgrade: Socket.SocketUpgradeError.unsupported }),
    writer: Effect.succeed({ write, writeAll: (chunks) => Effect.forEach(chunks, write, { discard: true }) })
  })
  const joined = yield* Queue.unbounded<Listener>()
  const left: Array<Listener> = []
  const services = Layer.mergeAll(
    Layer.succeed(SocketSeats, seats),
    Layer.succeed(Auth, {
      mode: "jwt",
      origins: [],
      admits: () => true,
      authenticate: Effect.fnUntraced(function* (token) {
        if (token === null) return yield* new AuthError({ reason: "missing", detail: "No token." })
        const text = Redacted.value<string>(token)
        if (text === "away") return yield* new AuthError({ reason: "unavailable", detail: "No keys." })
        if (text === "bad") return yield* new AuthError({ reason: "invalid", detail: "Not valid." })
        const [user = "", seconds] = text.split(" until ")
        return { userId: UserId.make(user), operator: false, expires: seconds === undefined ? null : Number(seconds) }
      })
    }),
    Layer.succeed(Audience, {
      join: (listener) =>
        Effect.sync(() => {
          listener.outbox.start([])
          Queue.offerUnsafe(joined, listener)
        }),
      leave: (listener) => Effect.sync(() => void left.push(listener)),
      size: Effect.succeed(0)
    })
  )
  const serving = yield* serveConnection({
    socket,
    wire,
    caller: caller === null ? null : { userId: caller, operator: false, expires: null }
  }).pipe(Effect.provide(services), Effect.forkChild)
  yield* Effect.yieldNow
  return {
    serving,
    wire,
    sent,
    closed,
    joined,
    left,
    says: (message: unknown) => Queue.offer(incoming, [JSON.stringify(message)] as const),
    leaves: Queue.fail(incoming, new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1001 }) }))
  }
})

const settled = Effect.yieldNow.pipe(Effect.repeat({ times: 50 }))

describe("a connection", () => {
  it.effect("is pinged every 20 s, and ends when the client leaves", () =>
    Effect.gen(function* () {
      const { left, joined, leaves, says, sent, serving } = yield* aConnection(somebody)
      yield* says({ type: "subscribe", exports: "all" })
      const listener = yield* Queue.take(joined)
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(yield* Queue.size(sent), 0)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Queue.take(sent), { type: "ping" })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Queue.take(sent), { type: "ping" })
      yield* leaves
      yield* Fiber.join(serving)
      assert.deepStrictEqual(left, [listener])
    })
  )

  it.effect("ends when its token does, unless a new one comes in time", () =>
    Effect.gen(function* () {
      const { closed, leaves, says, sent, serving } = yield* aConnection(null)
      yield* says({ type: "auth", token: "ann until 60" })
      yield* settled
      yield* TestClock.adjust("59 seconds")
      yield* says({ type: "auth", token: "ann until 100" })
      yield* settled
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(closed, [])
      yield* TestClock.adjust("1 second")
      const last = (yield* Queue.takeAll(sent)).at(-1)
      // Not `unauthorized`: a client that has fresh tokens comes back by itself, nobody is asked.
      assert.isTrue(last?.type === "error" && last.code === "token_expired", JSON.stringify(last))
      assert.deepStrictEqual(closed, [CLOSE.unauthorized])
      yield* leaves
      yield* Fiber.join(serving)
    })
  )

  it.effect("lets a stranger go after 10 s", () =>
    Effect.gen(function* () {
      const { closed, leaves, sent, serving } = yield* aConnection(null)
      yield* TestClock.adjust("10 seconds")
      const error = yield* Queue.take(sent)
      assert.isTrue(error.type === "error" && error.code === "unauthorized")
      assert.deepStrictEqual(closed, [CLOSE.unauthorized])
      yield* leaves
      yield* Fiber.join(serving)
    })
  )

  it.effect("knows its client by the first message, and nobody else after that", () =>
    Effect.gen(function* () {
      const { closed, joined, leaves, left, says, sent, serving } = yield* aConnection(null)
      yield* says({ type: "auth", token: "away" })
      const error = yield* Queue.take(sent)
      assert.isTrue(error.type === "error" && error.code === "unavailable")
      yield* says({ type: "auth", token: "me" })
      yield* says({ type: "subscribe", exports: "all" })
      const listener = yield* Queue.take(joined)
      assert.strictEqual(listener.user, "me")
      yield* TestClock.adjust("11 seconds")
      yield* says({ type: "auth", token: "me" })
      yield* settled
      assert.deepStrictEqual(closed, [])
      yield* says({ type: "auth", token: "you" })
      yield* Queue.take(sent)
      assert.deepStrictEqual(closed, [CLOSE.unauthorized])
      yield* leaves
      yield* Fiber.join(serving)
      assert.deepStrictEqual(left, [listener])
    })
  )

  it.effect("refuses a bad token, and a subscription without any", () =>
    Effect.gen(function* () {
      for (const message of [
        { type: "auth", token: "bad" },
        { type: "subscribe", exports: "all" }
      ]) {
        const { closed, joined, says, sent, serving } = yield* aConnection(null)
        yield* says(message)
        const error = yield* Queue.take(sent)
        assert.isTrue(error.type === "error" && error.code === "unauthorized")
        assert.deepStrictEqual(closed, [CLOSE.unauthorized])
        assert.strictEqual(yield* Queue.size(joined), 0)
        // A client that does not agree to the end does not keep it open either.
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(serving)
      }
    })
  )

  it.effect("is refused where its user has as many as one may have, whichever way it said who it is", () =>
    Effect.gen(function* () {
      const seats = new Seats(1)
      const first = yield* aConnection(null, seats)
      yield* first.says({ type: "auth", token: "somebody" })
      // The same one again, with a fresh token, takes no second place.
      yield* first.says({ type: "auth", token: "somebody" })
      yield* settled
      const known = yield* aConnection(somebody, seats)
      const stranger = yield* aConnection(null, seats)
      yield* stranger.says({ type: "auth", token: "somebody" })
      for (const { closed, joined, says, sent, serving } of [known, stranger]) {
        yield* says({ type: "subscribe", exports: "all" })
        const error = yield* Queue.take(sent)
        assert.isTrue(error.type === "error" && error.code === "too_many_sockets", JSON.stringify(error))
        assert.deepStrictEqual(closed, [CLOSE.crowded])
        assert.strictEqual(yield* Queue.size(joined), 0)
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(serving)
      }
      const another = yield* aConnection(UserId.make("another"), seats)
      yield* another.says({ type: "subscribe", exports: "all" })
      yield* Queue.take(another.joined)
      assert.deepStrictEqual(first.closed, [])

      // Who leaves, or turns out to be another before it asked for anything, makes room.
      yield* first.leaves
      yield* Fiber.join(first.serving)
      const next = yield* aConnection(somebody, seats)
      yield* next.says({ type: "auth", token: "someone" })
      yield* settled
      const last = yield* aConnection(somebody, seats)
      yield* last.says({ type: "subscribe", exports: "all" })
      yield* Queue.take(last.joined)
      for (const { leaves, serving } of [another, next, last]) {
        yield* leaves
        yield* Fiber.join(serving)
      }
      assert.strictEqual(seats.taken, 0)
    })
  )

  it.effect("holds back while the client does not read, and then says only the latest", () =>
    Effect.gen(function* () {
      const { joined, leaves, says, sent, serving, wire } = yield* aConnection(somebody)
      yield* says({ type: "subscribe", exports: "all" })
      const { outbox, wake } = yield* Queue.take(joined)
      yield* settled
      wire.writableLength = 100_000
      const ids = [newId(ExportId), newId(ExportId)] as const
      for (let percent = 0; percent <= 100; percent += 0.5) {
        for (const id of ids) outbox.offerProgress(id, aProgress({ percent }))
        wake()
        if (percent % 10 === 0) yield* TestClock.adjust("300 millis")
      }
      assert.strictEqual(yield* Queue.size(sent), 0)
      assert.isAtMost(outbox.waiting, 2)
      wire.writableLength = 0
      yield* TestClock.adjust("100 millis")
      const told = yield* Queue.takeN(sent, 2)
      assert.deepStrictEqual(
        told.map((m) => (m.type === "progress" ? [m.exportId, m.progress.percent] : [])),
        [
          [ids[0], 100],
          [ids[1], 100]
        ]
      )
      yield* leaves
      yield* Fiber.join(serving)
    })
  )

  it.effect("lets a client go that reads nothing for 30 s, and not one that reads slowly", () =>
    Effect.gen(function* () {
      const { joined, left, says, serving, wire } = yield* aConnection(somebody)
      yield* says({ type: "subscribe", exports: "all" })
      const { outbox, wake } = yield* Queue.take(joined)
      wire.writableLength = 1_000_000
      outbox.offerNote({ type: "ping" })
      outbox.offerNote({ type: "ping" })
      wake()
      for (let second = 0; second < 120; second++) {
        wire.writableLength -= 100
        yield* TestClock.adjust("1 second")
      }
      assert.isFalse(wire.destroyed)
      yield* TestClock.adjust("29 seconds")
      assert.isFalse(wire.destroyed)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(serving)
      assert.isTrue(wire.destroyed)
      assert.strictEqual(left.length, 1)
    })
  )
})
