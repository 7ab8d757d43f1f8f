import type { ConsumerDeclaration } from "@reelay/contracts/messages/Topology"
import { Cause, Effect, Queue } from "effect"
import type { Scope } from "effect"
import type { Msg, NatsConnection } from "nats"
import { BusError } from "./BusError.ts"
import { managerOf } from "./BusRead.ts"
import { askAll, attempt } from "./NatsRequest.ts"

/**
 * One pull request to a durable consumer, at the protocol's level, because the client's own `fetch` drops what comes
 * while it is being stopped: such a message would lie idle until its ack wait is over. Here it goes back at once.
 */
export interface OpenPull {
  /** Each message as it comes, unless `take` was given; ends when the request expired or is filled. */
  readonly messages: Queue.Dequeue<Msg, BusError | Cause.Done>
  /** The message is now in the hands of the caller and will not be given back by this pull. */
  readonly claim: (message: Msg) => void
}

const NANOS = 1_000_000
/**
 * Heartbeats tell a quiet queue from a consumer that is gone (a server that is gone ends the connection). The server
 * allows at most half of the expiry.
 */
const HEARTBEAT_MILLIS = 5000
/** How often an open request is looked at. */
const WATCH_MILLIS = 1000
/** How long after its expiry a request that got no answer is given up. */
const GRACE_MILLIS = 1000

const ACK = "+ACK"
const TERM = "+TERM"
const WORKING = "+WPI"
const nak = (delayMillis: number) =>
  delayMillis > 0 ? `-NAK ${JSON.stringify({ delay: delayMillis * NANOS })}` : "-NAK"

const settle = (nc: NatsConnection, message: Msg, how: string): void => {
  if (message.reply !== undefined && !nc.isClosed()) nc.publish(message.reply, how)
}
/** Best effort: if it is lost, the ack wait brings the message back. */
export const giveBack = (nc: NatsConnection, message: Msg, delayMillis: number): void =>
  settle(nc, message, nak(delayMillis))
export const terminate = (nc: NatsConnection, message: Msg): void => settle(nc, message, TERM)
export const working = (nc: NatsConnection, message: Msg): void => settle(nc, message, WORKING)

/** Without waiting for the server's word. */
export const acknowledgeOnly = (nc: NatsConnection, message: Msg): void => settle(nc, message, ACK)

/** Double ack: returns when the server has it. Any connection will do, the message's own may be gone. */
export const acknowledge = Effect.fnUntraced(function* (
  nc: NatsConnection,
  newInbox: () => string,
  message: Msg,
  timeoutMillis: number
) {
  if (message.reply === undefined) return
  const question = { subject: message.reply, payload: ACK }
  const [answer] = yield* askAll(nc, newInbox, "ack", [question], timeoutMillis)
  if (answer !== undefined) yield* answer
})

/** How often it was delivered: a token of the ack subject, whose form differs between servers. */
export const deliveriesOf = (message: Msg): number => {
  const tokens = (message.reply ?? "").split(".")
  const deliveries = Number(tokens[tokens.length === 9 ? 4 : 6])
  return Number.isInteger(deliveries) && deliveries > 0 ? deliveries : 1
}

/** Consumers that answered on a connection. */
const answered = new WeakMap<NatsConnection, Set<string>>()

/**
 * A request to a consumer that is not there is not answered at all, and only missing heartbeats would tell: so it is
 * asked for first, once a connection.
 */
const checkConsumer = Effect.fnUntraced(function* (nc: NatsConnection, { durable, stream }: ConsumerDeclaration) {
  const known = answered.get(nc) ?? new Set()
  answered.set(nc, known)
  if (known.has(durable)) return
  yield* attempt(nc, "consume", async () => (await managerOf(nc)).consumers.info(stream, durable))
  known.add(durable)
})

/**
 * Asks, with `inbox` (fresh for each call) as the place to answer to, for up to `batch` messages within
 * `expiresMillis`. Closing the scope withdraws the request; what came unclaimed is given back. Fails when the consumer
 * or the connection is gone. `take`: claims each message as it comes.
 */
export const openPull = (
  nc: NatsConnection,
  inbox: string,
  consumer: ConsumerDeclaration,
  batch: number,
  expiresMillis: number,
  take?: (message: Msg) => void
): Effect.Effect<OpenPull, BusError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      yield* checkConsumer(nc, consumer)
      const messages = yield* Queue.unbounded<Msg, BusError | Cause.Done>()
      const unclaimed = new Set<Msg>()
      let received = 0
      let over = false
      let heard = performance.now()

      const end = (cause?: Error): void => {
        over = true
        if (cause === undefined) Queue.endUnsafe(messages)
        else {
          answered.get(nc)?.delete(consumer.durable)
          Queue.failCauseUnsafe(messages, Cause.fail(new BusError({ operation: "consume", cause })))
        }
      }

      const onStatus = (code: number, description: string): void => {
        switch (code) {
          case 100:
            return
          // Nothing there (any more) within the time asked for.
          case 404:
          case 408:
            return end()
          default:
            return end(new Error(`${code} ${description}`))
        }
      }

      const subscription = yield* Effect.try({
        try: () => {
          const subscription = nc.subscribe(inbox, {
            callback: (error, message) => {
              heard = performance.now()
              if (error !== null) return end(error)
              if (message.subject === inbox) {
                return onStatus(message.headers?.code ?? 503, message.headers?.description ?? "no such consumer")
              }
              received += 1
              if (take === undefined) {
                unclaimed.add(message)
                Queue.offerUnsafe(messages, message)
              } else take(message)
              if (received >= batch) end()
            }
          })
          const heartbeat = expiresMillis >= 2 * HEARTBEAT_MILLIS ? { idle_heartbeat: HEARTBEAT_MILLIS * NANOS } : {}
          nc.publish(
            `$JS.API.CONSUMER.MSG.NEXT.${consumer.stream}.${consumer.durable}`,
            JSON.stringify({ batch, expires: expiresMillis * NANOS, ...heartbeat }),
            { reply: inbox }
          )
          return subscription
        },
        catch: (cause) => new BusError({ operation: "consume", cause })
      })

      const opened = heard
      const watchdog = setInterval(() => {
        const now = performance.now()
        if (over) return
        if (nc.isClosed()) end(new Error("the connection is closed"))
        else if (now - opened > expiresMillis + GRACE_MILLIS) end()
        else if (expiresMillis >= 2 * HEARTBEAT_MILLIS && now - heard > 2.5 * HEARTBEAT_MILLIS) {
          end(new Error("no heartbeat from the server"))
        }
      }, WATCH_MILLIS)
      void subscription.closed.then(() => {
        if (!over) end(new Error("the subscription is closed"))
      })

      return {
        messages,
        claim: (message: Msg) => void unclaimed.delete(message),
        close: Effect.gen(function* () {
          clearInterval(watchdog)
          if (over) subscription.unsubscribe()
          else if (!nc.isClosed()) {
            // The server stops sending, and says so: until then messages may still come.
            yield* Effect.promise(() => subscription.drain().catch(() => undefined)).pipe(
              Effect.timeoutOption("1 second")
            )
          }
          over = true
          for (const message of unclaimed) giveBack(nc, message, 0)
        })
      }
    }),
    (pull) => pull.close
  )
