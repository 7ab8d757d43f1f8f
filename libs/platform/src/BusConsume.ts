import type { Message } from "@reelay/contracts/messages/Message"
import type { ConsumerDeclaration } from "@reelay/contracts/messages/Topology"
import { Effect, Option, Pull, Queue, Random, Stream } from "effect"
import type { Msg, NatsConnection } from "nats"
import type { Delivery } from "./Bus.ts"
import { acknowledge, deliveriesOf, giveBack, openPull, terminate, working } from "./BusPull.ts"
import type { OpenPull } from "./BusPull.ts"
import { readerOf } from "./BusWire.ts"
import type { Read } from "./BusWire.ts"
import type { NatsLink } from "./NatsLink.ts"

const ACK_TIMEOUT_MILLIS = 5000
const CONSUME_EXPIRES_MILLIS = 30_000
const RETRY_MILLIS = 250
/** A message of a newer version waits for a process that knows it: somebody else, or this one after its upgrade. */
const NEWER_DELAY_MILLIS = { from: 5000, to: 10_000 }

type Reader<A> = (data: Uint8Array) => Effect.Effect<Read<A>>

/** A delivery of what can be read; what cannot is settled here (null). `settled` runs once, at the first settling. */
const receive = Effect.fnUntraced(function* <A>(
  link: NatsLink,
  nc: NatsConnection,
  raw: Msg,
  read: Reader<A>,
  settled: Effect.Effect<void>
) {
  const result = yield* read(raw.data)
  if (result._tag === "Rejected") {
    if (result.reason === "newer") {
      giveBack(nc, raw, Math.round(yield* Random.nextBetween(NEWER_DELAY_MILLIS.from, NEWER_DELAY_MILLIS.to)))
    } else terminate(nc, raw)
    yield* settled
    return null
  }
  let open = true
  const once = Effect.suspend(() => {
    if (!open) return Effect.void
    open = false
    return settled
  })
  // The connection the message came by may be gone by the time it is settled: any will do.
  const delivery: Delivery<A> = {
    body: result.body,
    subject: raw.subject,
    deliveries: deliveriesOf(raw),
    ack: link.current("ack").pipe(
      Effect.flatMap((nc) => acknowledge(nc, raw, ACK_TIMEOUT_MILLIS)),
      Effect.ensuring(once)
    ),
    giveBack: (delayMillis = 0) =>
      link.current("ack").pipe(
        Effect.map((nc) => giveBack(nc, raw, delayMillis)),
        Effect.ignore,
        Effect.ensuring(once)
      ),
    working: link.current("ack").pipe(
      Effect.map((nc) => working(nc, raw)),
      Effect.ignore
    )
  }
  return delivery
})

/** See Bus.pull. */
export const pullFrom = Effect.fnUntraced(function* <A extends { readonly v: number }, I>(
  link: NatsLink,
  consumer: ConsumerDeclaration,
  message: Message<A, I>,
  expiresMillis: number
) {
  const read = readerOf(message)
  const deadline = performance.now() + expiresMillis
  while (true) {
    const left = Math.ceil(deadline - performance.now())
    if (left <= 0) return null
    const nc = yield* link.current("consume")
    const delivery = yield* Effect.uninterruptibleMask((restore) =>
      Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* openPull(nc, link.newInbox(), consumer, 1, left)
          const raw = yield* restore(Queue.take(pull.messages)).pipe(Pull.catchDone(() => Effect.succeed(null)))
          if (raw === null) return null
          pull.claim(raw)
          return { delivery: yield* receive(link, nc, raw, read, Effect.void) }
        })
      )
    )
    if (delivery === null) return null
    if (delivery.delivery !== null) return delivery.delivery
  }
})

/**
 * See Bus.consume. Each request asks for exactly as many messages as may still be in flight, so nothing is fetched
 * ahead and no ack wait runs out in a buffer.
 */
export const consumeFrom = <A extends { readonly v: number }, I>(
  link: NatsLink,
  consumer: ConsumerDeclaration,
  message: Message<A, I>,
  maxInFlight: number
): Stream.Stream<Delivery<A>> =>
  Stream.suspend(() => {
    const read = readerOf(message)
    /** Claimed, and not yet in the hands of the stream's reader. */
    const waiting = new Set<Delivery<A>>()

    const deliveries = Stream.callback<Delivery<A>>(
      Effect.fnUntraced(function* (out) {
        const roomAgain = yield* Queue.sliding<void>(1)
        let inFlight = 0
        const settled = Effect.suspend(() => {
          inFlight -= 1
          return Queue.offer(roomAgain, undefined)
        })
        yield* Effect.addFinalizer(() => Effect.forEach(waiting, (delivery) => delivery.giveBack(), { discard: true }))

        const take = Effect.fnUntraced(function* (nc: NatsConnection, pull: OpenPull) {
          const raw = yield* Queue.take(pull.messages)
          yield* Effect.uninterruptible(
            Effect.gen(function* () {
              pull.claim(raw)
              inFlight += 1
              const delivery = yield* receive(link, nc, raw, read, settled)
              if (delivery === null) return
              waiting.add(delivery)
              yield* Queue.offer(out, delivery)
            })
          )
        })

        const request = Effect.gen(function* () {
          while (inFlight >= maxInFlight) yield* Queue.take(roomAgain)
          const nc = yield* firstConnection(link)
          const pull = yield* openPull(nc, link.newInbox(), consumer, maxInFlight - inFlight, CONSUME_EXPIRES_MILLIS)
          yield* Effect.forever(take(nc, pull))
        }).pipe(
          Effect.scoped,
          Pull.catchDone(() => Effect.void),
          Effect.catch((error) =>
            Effect.logDebug("consuming is interrupted", error.message).pipe(Effect.andThen(Effect.sleep(RETRY_MILLIS)))
          )
        )
        yield* Effect.forever(request)
      })
    )

    return deliveries.pipe(
      Stream.rechunk(1),
      Stream.map((delivery) => {
        waiting.delete(delivery)
        return delivery
      })
    )
  })

const firstConnection = (link: NatsLink): Effect.Effect<NatsConnection> =>
  link.connections.pipe(
    Stream.runHead,
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )
