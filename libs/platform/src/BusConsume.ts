import type { Message } from "@reelay/contracts/messages/Message"
import type { ConsumerDeclaration } from "@reelay/contracts/messages/Topology"
import { Effect, Option, Pull, Queue, Random, Stream } from "effect"
import type { Msg, NatsConnection } from "nats"
import type { Delivery } from "./Bus.ts"
import { acknowledge, acknowledgeOnly, deliveriesOf, giveBack, openPull, terminate, working } from "./BusPull.ts"
import { countRejected, readerOf } from "./BusWire.ts"
import type { Rejected } from "./BusWire.ts"
import type { NatsLink } from "./NatsLink.ts"

const ACK_TIMEOUT_MILLIS = 5000
const CONSUME_EXPIRES_MILLIS = 30_000
const RETRY_MILLIS = 250
/** While most places are taken: how long to wait for more of them to become free. */
const GATHER_MILLIS = 5
/** A message of a newer version waits for a process that knows it: somebody else, or this one after its upgrade. */
const NEWER_DELAY_MILLIS = { from: 5000, to: 10_000 }

class Held<A> implements Delivery<A> {
  readonly body: A
  readonly #link: NatsLink
  readonly #raw: Msg
  #settled: (() => void) | null

  /** `settled` is called once, at the first settling. */
  constructor(body: A, link: NatsLink, raw: Msg, settled: () => void) {
    this.body = body
    this.#link = link
    this.#raw = raw
    this.#settled = settled
  }

  get subject() {
    return this.#raw.subject
  }
  get deliveries() {
    return deliveriesOf(this.#raw)
  }
  // By the connection that is there now: the one that brought the message may be gone, and need not be the same.
  get ack() {
    return this.#link.current("ack").pipe(
      Effect.flatMap((nc) => acknowledge(nc, this.#link.newInbox, this.#raw, ACK_TIMEOUT_MILLIS)),
      Effect.ensuring(Effect.sync(() => this.#once()))
    )
  }
  readonly settle = (): void => {
    const nc = this.#link.present()
    if (nc !== null) acknowledgeOnly(nc, this.#raw)
    this.#once()
  }
  readonly giveBack = (delayMillis = 0) =>
    Effect.sync(() => {
      const nc = this.#link.present()
      if (nc !== null) giveBack(nc, this.#raw, delayMillis)
      this.#once()
    })
  get working() {
    return Effect.sync(() => {
      const nc = this.#link.present()
      if (nc !== null) working(nc, this.#raw)
    })
  }

  #once() {
    const settled = this.#settled
    this.#settled = null
    settled?.()
  }
}

/** What cannot be read is settled here. */
const reject = Effect.fnUntraced(function* (nc: NatsConnection, raw: Msg, name: string, rejected: Rejected) {
  yield* countRejected(name, rejected)
  if (rejected.reason === "newer") {
    giveBack(nc, raw, Math.round(yield* Random.nextBetween(NEWER_DELAY_MILLIS.from, NEWER_DELAY_MILLIS.to)))
  } else terminate(nc, raw)
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
          const result = read(raw.data)
          if (result._tag === "Ok") return new Held(result.body, link, raw, () => {})
          yield* reject(nc, raw, message.name, result)
          return result
        })
      )
    )
    if (delivery === null || delivery instanceof Held) return delivery
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
        const settleNow = Effect.runSyncWith(yield* Effect.context())
        let inFlight = 0
        const settled = (): void => {
          inFlight -= 1
          Queue.offerUnsafe(roomAgain, undefined)
        }
        let over = false
        yield* Effect.addFinalizer(() => {
          over = true
          return Effect.forEach(waiting, (delivery) => delivery.giveBack(), { discard: true })
        })

        // Called by the connection, without a fiber for each message.
        const take = (nc: NatsConnection) => (raw: Msg) => {
          // The request is being withdrawn; nobody reads any more.
          if (over) return giveBack(nc, raw, 0)
          inFlight += 1
          const result = read(raw.data)
          if (result._tag === "Rejected") {
            settleNow(reject(nc, raw, message.name, result))
            return settled()
          }
          const delivery = new Held(result.body, link, raw, settled)
          waiting.add(delivery)
          Queue.offerUnsafe(out, delivery)
        }

        const request = Effect.gen(function* () {
          // A request for each place that becomes free would cost more than what it brings.
          if (inFlight * 2 > maxInFlight) yield* Effect.sleep(GATHER_MILLIS)
          while (inFlight >= maxInFlight) yield* Queue.take(roomAgain)
          const nc = yield* firstConnection(link)
          const batch = maxInFlight - inFlight
          const pull = yield* openPull(nc, link.newInbox(), consumer, batch, CONSUME_EXPIRES_MILLIS, take(nc))
          yield* Queue.take(pull.messages)
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
