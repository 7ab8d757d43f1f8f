import type { UserId } from "@reelay/contracts/Ids"
import { ClientMessage, CLOSE, ServerMessage } from "@reelay/contracts/Socket"
import { Auth } from "@reelay/platform/Auth"
import type { Caller } from "@reelay/platform/Auth"
import { Clock, Duration, Effect, Metric, Option, Queue, Redacted, Schema } from "effect"
import { Socket } from "effect/socket"
import { Audience } from "./Audience.ts"
import type { Listener } from "./Audience.ts"
import { Outbox } from "./Outbox.ts"
import { SocketSeats } from "./Seats.ts"

const PING_EVERY = Duration.seconds(20)
/** For a client that has to say who it is. */
const AUTH_WITHIN = Duration.seconds(10)
/** Bytes that may wait in the connection before the client counts as slow. */
const HIGH_WATER = 64 * 1024
/** A client that takes nothing for that long is let go. */
const STUCK_AFTER = Duration.seconds(30)
/** Milliseconds; more than three weeks would fire at once. */
const LONGEST_TIMER = Duration.toMillis("1 day")
const LOOK_AGAIN = Duration.millis(100)

const connections = Metric.gauge("reelay_websocket_connections", { description: "Open WebSockets" })
const letGo = Metric.counter("reelay_websocket_slow_total", {
  description: "WebSockets closed because their client did not read",
  incremental: true
})
const refused = Metric.counter("reelay_websocket_refused_total", {
  description: "WebSockets refused because their user has as many as one may have",
  incremental: true
})

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(ClientMessage))
const encodeMessage = Schema.encodeEffect(Schema.fromJsonString(ServerMessage))

const UNKNOWN_MESSAGE =
  'This is not a message that is known here: {"type":"subscribe","exports":"all"} is, with a list of ids instead of "all", too.'

const note = (code: string, detail: string): ServerMessage => ({ type: "error", code, detail })

/** Ends the connection, from our side, with a code that says why. */
class Goodbye extends Schema.TaggedError<Goodbye>()("Goodbye", {
  code: Schema.Int,
  /** What the last message calls it. */
  note: Schema.String,
  reason: Schema.String
}) {}

export interface ConnectionOptions {
  readonly socket: Socket.Socket
  /** The connection beneath, for how much it still has to send. */
  readonly wire: { readonly writableLength: number; readonly destroy: () => unknown }
  /** Who it is, where that is known without a first message. */
  readonly caller: Caller | null
}

/**
 * One client, from the handshake to the end. Two actors share the outbox: one reads what the client wants, the other
 * sends when the connection has room. Returns when the connection is over; never fails.
 */
export const serveConnection = Effect.fn("Connection.serve")(function* ({ caller, socket, wire }: ConnectionOptions) {
  const auth = yield* Auth
  const audience = yield* Audience
  const seats = yield* SocketSeats
  const outbox = new Outbox()
  const woken = yield* Queue.sliding<void>(1)
  const wake = () => void Queue.offerUnsafe(woken, undefined)
  const say = (message: ServerMessage) => Effect.sync(() => outbox.offerNote(message) && wake())

  const reader = yield* socket.reader
  const writer = yield* socket.writer
  const renewed = yield* Queue.sliding<void>(1)
  let who: Caller | null = null
  let listener: Listener | null = null
  yield* Effect.addFinalizer(() => Effect.sync(() => who !== null && seats.leave(who.userId)))
  yield* Effect.addFinalizer(() => Effect.suspend(() => (listener === null ? Effect.void : audience.leave(listener))))

  const unauthorized = (detail: string) =>
    new Goodbye({ code: CLOSE.unauthorized, note: "unauthorized", reason: detail })

  /** Who has said who it is has a seat; the same one with another token keeps it. */
  const admit = (known: Caller) =>
    Effect.suspend(() => {
      if (who?.userId !== known.userId) {
        if (!seats.take(known.userId)) {
          const reason = `This user has ${seats.most} WebSockets already. Everything can be asked for over HTTP, too.`
          return Effect.fail(new Goodbye({ code: CLOSE.crowded, note: "too_many_sockets", reason }))
        }
        if (who !== null) seats.leave(who.userId)
      }
      who = known
      Queue.offerUnsafe(renewed, undefined)
      return Effect.void
    })

  const authenticate = Effect.fnUntraced(function* (token: string) {
    const result = yield* auth
      .authenticate(Redacted.make(token))
      .pipe(
        Effect.catch((error) =>
          error.reason === "unavailable"
            ? say(note("unavailable", error.detail)).pipe(Effect.as(null))
            : Effect.fail(unauthorized(error.detail))
        )
      )
    if (result === null) return
    const before: UserId | undefined = listener?.user
    if (before !== undefined && before !== result.userId) return yield* unauthorized("The token is another user's.")
    yield* admit(result)
  })

  const subscribe = Effect.fnUntraced(function* (message: Extract<ClientMessage, { type: "subscribe" }>) {
    if (who === null) return yield* unauthorized("A token is needed before a subscription.")
    if (listener !== null) yield* audience.leave(listener)
    listener = {
      user: who.userId,
      which: message.exports === "all" ? "all" : new Set(message.exports),
      outbox,
      wake
    }
    yield* audience.join(listener, message.since)
  })

  const hear = Effect.fnUntraced(function* (frame: string | Uint8Array) {
    const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame)
    const message = yield* decode(text).pipe(Effect.option)
    if (Option.isNone(message)) return yield* say(note("validation", UNKNOWN_MESSAGE))
    switch (message.value.type) {
      case "auth":
        return yield* authenticate(message.value.token)
      case "subscribe":
        return yield* subscribe(message.value)
    }
  })
  const listen = Effect.gen(function* () {
    if (caller !== null) yield* admit(caller)
    while (true) {
      for (const frame of yield* reader.pull) yield* hear(frame)
    }
  })

  const strangersLeave = Effect.suspend(() => (who === null ? unauthorized("No token came.") : Effect.never)).pipe(
    Effect.delay(AUTH_WITHIN)
  )
  /** A connection is worth no more than the token behind it. A new one may come in time, as another `auth` message. */
  const tokenEnds = Effect.gen(function* () {
    while (true) {
      const left = who?.expires == null ? Infinity : who.expires * 1000 - (yield* Clock.currentTimeMillis)
      if (left <= 0) {
        return yield* new Goodbye({
          code: CLOSE.unauthorized,
          note: "token_expired",
          reason: "The token has expired: connect again with another."
        })
      }
      yield* Queue.take(renewed).pipe(Effect.timeoutOption(Math.min(left, LONGEST_TIMER)))
    }
  })
  const ping = say({ type: "ping" }).pipe(Effect.delay(PING_EVERY), Effect.forever)

  const room = Effect.gen(function* () {
    let taken = yield* Clock.monotonicTimeNanos
    let left = wire.writableLength
    while (wire.writableLength > HIGH_WATER) {
      yield* Effect.sleep(LOOK_AGAIN)
      const now = yield* Clock.monotonicTimeNanos
      // It takes some, if slowly.
      if (wire.writableLength < left) taken = now
      left = wire.writableLength
      if (now - taken > Duration.toNanosUnsafe(STUCK_AFTER)) {
        return yield* new Goodbye({ code: CLOSE.slow, note: "slow", reason: "The client does not read." })
      }
    }
  })
  const send = Effect.gen(function* () {
    while (true) {
      // Room first: what waits meanwhile is still being replaced by what is newer.
      yield* room
      const next = outbox.next(Number((yield* Clock.monotonicTimeNanos) / 1_000_000n))
      switch (next._tag) {
        case "Send":
          yield* writer.write(yield* Effect.orDie(encodeMessage(next.message)))
          break
        case "Wait":
          yield* Queue.take(woken).pipe(Effect.timeoutOption(next.millis))
          break
        case "Idle":
          yield* Queue.take(woken)
      }
    }
  })

  yield* Metric.modify(connections, 1)
  yield* Effect.addFinalizer(() => Metric.modify(connections, -1))
  yield* Effect.raceAllFirst([listen, send, ping, strangersLeave, tokenEnds]).pipe(
    Effect.catchTag(
      "Goodbye",
      Effect.fnUntraced(function* ({ code, note: last, reason }) {
        if (code === CLOSE.slow) {
          yield* Metric.update(letGo, 1)
          // A polite end would wait in the same queue that nobody reads.
          wire.destroy()
          return
        }
        if (code === CLOSE.crowded) yield* Metric.update(refused, 1)
        const text = yield* Effect.orDie(encodeMessage(note(last, reason)))
        yield* writer.writeAll([text])
        yield* writer.write(new Socket.CloseEvent(code, reason))
        // Until the client agrees, or is gone.
        yield* reader.pull.pipe(Effect.forever, Effect.ignore, Effect.timeoutOption("2 seconds"))
      })
    ),
    // The other side left, in whatever way: the normal end.
    Effect.catchTag("SocketError", () => Effect.void)
  )
}, Effect.scoped)
