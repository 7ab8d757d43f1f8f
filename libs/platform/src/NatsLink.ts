import { inboxPrefix, ROLES } from "@reelay/contracts/messages/Topology"
import { Config, Duration, Effect, Option, Queue, Random, Redacted, Stream, SubscriptionRef } from "effect"
import { connect, createInbox } from "nats"
import type { NatsConnection } from "nats"
import { BusError } from "./BusError.ts"
import { isUsable, markBroken } from "./NatsRequest.ts"

/**
 * The connection, for ever: a new one after each loss, from the first second on, whether NATS is there yet or not. The
 * client's own reconnection is off: a lost connection is closed, and everything bound to it ends with it at once, so
 * that there is one way of starting and it is the one that every restart takes.
 */
export interface NatsLink {
  readonly connected: Effect.Effect<boolean>
  /** The present connection, if there is one. */
  readonly present: () => NatsConnection | null
  /** The same, or BusError. */
  current(operation: BusError["operation"]): Effect.Effect<NatsConnection, BusError>
  /** The present connection and each later one. */
  readonly connections: Stream.Stream<NatsConnection>
  /** A fresh subject under this role's own inbox. */
  readonly newInbox: () => string
}

const CONNECT_TIMEOUT_MILLIS = 3000
/** Two unanswered pings end a connection: a silent server is noticed within 15 s. */
const PING_INTERVAL_MILLIS = 5000
const FIRST_RETRY_MILLIS = 50
const LAST_RETRY_MILLIS = 1000

const settings = Config.all({
  url: Config.String("REELAY_NATS_URL").pipe(Config.withDefault("nats://127.0.0.1:4222")),
  user: Config.option(Config.String("REELAY_NATS_USER")),
  password: Config.option(Config.Redacted("REELAY_NATS_PASSWORD"))
})

const live = (nc: NatsConnection | null): nc is NatsConnection => nc !== null && isUsable(nc)

/**
 * Marks a connection at the very moment it breaks, which is why this is a plain loop. What the server refuses (missing
 * permissions) comes without an answer to anyone: those are returned, to be said.
 */
const attend = Effect.fnUntraced(function* (nc: NatsConnection) {
  const refusals = yield* Queue.sliding<string>(16)
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") markBroken(nc)
      else if (status.type === "error") Queue.offerUnsafe(refusals, status.error.message)
    }
  })()
  return refusals
})

export const makeNatsLink = Effect.gen(function* () {
  const { password, url, user } = yield* settings
  const role = ROLES.find((known) => Option.contains(user, known))
  const prefix = role === undefined ? "_INBOX" : inboxPrefix(role)
  const present = yield* SubscriptionRef.make<NatsConnection | null>(null)

  const dial = Effect.tryPromise({
    try: () =>
      connect({
        servers: url.split(",").map((server) => server.trim()),
        ...(Option.isSome(user) ? { user: user.value } : {}),
        ...(Option.isSome(password) ? { pass: Redacted.value(password.value) } : {}),
        inboxPrefix: prefix,
        name: `reelay-${Option.getOrElse(user, () => "anonymous")}-${process.pid}`,
        reconnect: false,
        timeout: CONNECT_TIMEOUT_MILLIS,
        pingInterval: PING_INTERVAL_MILLIS,
        maxPingOut: 2,
        // Two stack traces for each request otherwise: a twentieth of a busy scheduler's time.
        noAsyncTraces: true
      }),
    catch: (cause) => new BusError({ operation: "connect", cause })
  })

  // What was published last (a withdrawal, a given-back message) still goes out.
  const hangUp = (nc: NatsConnection) =>
    SubscriptionRef.set(present, null).pipe(
      Effect.andThen(
        Effect.promise(() =>
          nc.flush().then(
            () => nc.close(),
            () => nc.close()
          )
        )
      ),
      Effect.timeoutOption("1 second")
    )

  const session = Effect.acquireUseRelease(
    dial,
    Effect.fnUntraced(function* (nc) {
      const refusals = yield* attend(nc)
      yield* Effect.logInfo("connected to NATS").pipe(
        Effect.annotateLogs({ server: nc.getServer(), version: nc.info?.version ?? "unknown" })
      )
      yield* SubscriptionRef.set(present, nc)
      yield* Effect.raceFirst(
        Effect.promise(() => nc.closed()).pipe(Effect.tap(() => Effect.sync(() => markBroken(nc)))),
        Queue.take(refusals).pipe(
          Effect.flatMap((refusal) => Effect.logWarning("NATS refused", refusal)),
          Effect.forever
        )
      )
    }),
    hangUp
  )

  yield* Effect.gen(function* () {
    let delay = FIRST_RETRY_MILLIS
    let said = false
    while (true) {
      const error = yield* session.pipe(Effect.match({ onFailure: (error) => error, onSuccess: () => null }))
      if (error === null) {
        yield* Effect.logWarning("the connection to NATS is lost")
        delay = FIRST_RETRY_MILLIS
        said = true
      } else if (!said) {
        yield* Effect.logWarning("NATS does not answer yet; trying on", error.message)
        said = true
      }
      yield* Effect.sleep(Duration.millis(delay * (1 + (yield* Random.next) / 4)))
      delay = Math.min(delay * 2, LAST_RETRY_MILLIS)
    }
  }).pipe(Effect.forkScoped)

  const usable = (): NatsConnection | null => {
    const nc = SubscriptionRef.getUnsafe(present)
    return live(nc) ? nc : null
  }

  const link: NatsLink = {
    connected: Effect.sync(() => usable() !== null),
    present: usable,
    current: (operation) =>
      Effect.suspend(() => {
        const nc = usable()
        return nc === null
          ? Effect.fail(new BusError({ operation, cause: new Error("not connected to NATS") }))
          : Effect.succeed(nc)
      }),
    connections: SubscriptionRef.changes(present).pipe(Stream.filter(live)),
    newInbox: () => createInbox(prefix)
  }
  return link
})
