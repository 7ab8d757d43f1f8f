import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream"
import type { JsMsg } from "@nats-io/jetstream"
import { Effect, Stream } from "effect"
import type { NatsConnection } from "nats"
import { BusError } from "./BusError.ts"
import type { NatsLink } from "./NatsLink.ts"
import { attempt, isUsable } from "./NatsRequest.ts"

/** Reading streams without taking anything out of them: ordered consumers, made anew whenever anything is in doubt. */
export type Start = { readonly _tag: "LastPerSubject" } | { readonly _tag: "After"; readonly sequence: number }

export interface StreamState {
  /** When the stream was made, to the nanosecond: a stream that was rebuilt has another. */
  readonly incarnation: string
  readonly first: number
  readonly last: number
}

export interface Reading {
  readonly message: JsMsg
  /** It was there when the reading began. */
  readonly snapshot: boolean
  /** Nothing older is on its way. */
  readonly caughtUp: boolean
}

/** A dead or missing consumer is noticed after about three of these. */
const HEARTBEAT_MILLIS = 5000
const RETRY_MILLIS = 250

export const managerOf = (nc: NatsConnection) => jetstreamManager(nc, { checkAPI: false })

export const streamState = Effect.fnUntraced(function* (nc: NatsConnection, stream: string) {
  const info = yield* attempt(nc, "read", async () => (await managerOf(nc)).streams.info(stream))
  const state: StreamState = { incarnation: info.created, first: info.state.first_seq, last: info.state.last_seq }
  return state
})

/** Ends with the connection; fails when stream or consumer are missing. */
export const readStream = (
  nc: NatsConnection,
  stream: string,
  filter: string,
  start: Start
): Stream.Stream<Reading, BusError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const consumer = yield* Effect.acquireRelease(
        attempt(nc, "read", () =>
          jetstream(nc).consumers.get(stream, {
            filter_subjects: filter,
            ...(start._tag === "LastPerSubject"
              ? { deliver_policy: DeliverPolicy.LastPerSubject }
              : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.sequence + 1 })
          })
        ),
        (consumer) =>
          Effect.promise(() => (nc.isClosed() ? Promise.resolve(false) : consumer.delete().catch(() => false))).pipe(
            Effect.timeoutOption("1 second")
          )
      )
      const atStart = yield* attempt(nc, "read", () => consumer.info(true))
      const messages = yield* Effect.acquireRelease(
        attempt(nc, "read", () =>
          consumer.consume({
            max_messages: 500,
            idle_heartbeat: HEARTBEAT_MILLIS,
            abort_on_missing_resource: true
          })
        ),
        (messages) =>
          Effect.promise(() =>
            messages.close().then(
              () => undefined,
              () => undefined
            )
          )
      )
      let caughtUp = atStart.num_pending === 0
      return Stream.fromAsyncIterable(messages, (cause) => new BusError({ operation: "read", cause })).pipe(
        Stream.map((message) => {
          const snapshot = !caughtUp
          caughtUp = caughtUp || message.info.pending === 0
          return { message, snapshot, caughtUp }
        })
      )
    })
  )

/** The same on every connection, again and again: waits for what is missing, and never ends. */
export const perConnection = <A>(
  link: NatsLink,
  read: (nc: NatsConnection) => Stream.Stream<A, BusError>
): Stream.Stream<A> =>
  link.connections.pipe(
    Stream.switchMap((nc) =>
      Stream.suspend(() => (isUsable(nc) ? read(nc) : Stream.never)).pipe(
        Stream.catch((error) =>
          Stream.fromEffectDrain(Effect.logDebug("reading from NATS is interrupted", error.message))
        ),
        Stream.concat(Stream.fromEffectDrain(Effect.sleep(RETRY_MILLIS))),
        Stream.forever
      )
    )
  )
