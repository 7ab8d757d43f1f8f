import type { NodeId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import type { Message } from "@reelay/contracts/messages/Message"
import type { ConsumerDeclaration } from "@reelay/contracts/messages/Topology"
import { Context, Layer } from "effect"
import type { Effect, Stream } from "effect"
import type { BusError } from "./BusError.ts"
import { makeBus } from "./BusNats.ts"

export { BusError } from "./BusError.ts"

/** One message in hand: to be settled exactly once. */
export interface Delivery<A> {
  readonly body: A
  readonly subject: string
  /** How often it was delivered, 1 for the first; can misreport after a server crash. */
  readonly deliveries: number
  /** Acknowledged and known to be so. */
  readonly ack: Effect.Effect<void, BusError>
  /** Acknowledged without waiting for the server's word: when that is lost, it comes again after the ack wait. */
  readonly settle: () => void
  /** Back into the queue, after a delay (milliseconds). */
  readonly giveBack: (delayMillis?: number) => Effect.Effect<void>
  /** Restarts the ack wait. */
  readonly working: Effect.Effect<void>
}

/**
 * NATS, as Reelay uses it. The connection comes and goes without an error to anyone: operations fail with BusError
 * while it is away, streams wait and go on. Nothing here ever ends because of a message: one that does not decode is
 * terminated and counted, one of a newer version is given back.
 */
export class Bus extends Context.Service<
  Bus,
  {
    readonly connected: Effect.Effect<boolean>
    /** An element now if connected, and one at each later (re)connection. */
    readonly connections: Stream.Stream<void>
    /** Creates or updates all streams and the bucket. Scheduler only. */
    readonly ensureTopology: Effect.Effect<void, BusError>
    /** Creates or updates a durable consumer. Scheduler only. */
    ensureConsumer(consumer: ConsumerDeclaration): Effect.Effect<void, BusError>
    /** To a stream, confirmed by the server. Waits at most 5 s. */
    publish<A extends { readonly v: number }, I>(
      message: Message<A, I>,
      body: NoInfer<A>
    ): Effect.Effect<void, BusError>
    /**
     * Many to one stream, in their order. The server says where the first and the last of them lie, which is so far apart
     * as they are many; else it fails: some of them may be there, or somebody else's came in between.
     */
    publishAll<A extends { readonly v: number }, I>(
      message: Message<A, I>,
      bodies: ReadonlyArray<NoInfer<A>>
    ): Effect.Effect<void, BusError>
    /** On core NATS: to whoever listens (and into a stream without confirmation, where one covers the subject). */
    broadcast<A extends { readonly v: number }, I>(message: Message<A, I>, body: NoInfer<A>): Effect.Effect<void>
    /** What is broadcast from now on. */
    subscribe<A extends { readonly v: number }, I>(message: Message<A, I>): Stream.Stream<A>
    /** A durable consumer's messages, at most `maxInFlight` unsettled at once. Never ends. */
    consume<A extends { readonly v: number }, I>(
      consumer: ConsumerDeclaration,
      message: Message<A, I>,
      options: { readonly maxInFlight: number }
    ): Stream.Stream<Delivery<A>>
    /**
     * Waits for one message of a durable consumer and takes it; null after `expiresMillis` without one. Interrupting it
     * withdraws the request: a message that comes too late is given back at once.
     */
    pull<A extends { readonly v: number }, I>(
      consumer: ConsumerDeclaration,
      message: Message<A, I>,
      expiresMillis: number
    ): Effect.Effect<Delivery<A> | null, BusError>
    /**
     * The last value of each subject, then every change, with the stream's sequence; starts anew (snapshot first) after
     * a reconnection or a rebuilt stream. `snapshot` elements were there before; `caughtUp` is true from the last of them
     * on.
     */
    watch<A extends { readonly v: number }, I>(
      stream: string,
      message: Message<A, I>
    ): Stream.Stream<{
      readonly body: A
      readonly sequence: number
      readonly snapshot: boolean
      readonly caughtUp: boolean
    }>
    /**
     * Messages after `afterSequence` (0: from the first kept), then new ones as they come. When the stream was rebuilt it
     * goes on with that one's first message: `incarnation` (see streamState) tells the lives apart. `storedMillis` is the
     * server's clock, since 1970.
     */
    follow<A extends { readonly v: number }, I>(
      stream: string,
      message: Message<A, I>,
      afterSequence: number
    ): Stream.Stream<{
      readonly body: A
      readonly sequence: number
      readonly incarnation: string
      readonly storedMillis: number
    }>
    /** Identity of a stream's present life (it changes when it is rebuilt), and its first and last sequence. */
    streamState(
      stream: string
    ): Effect.Effect<{ readonly incarnation: string; readonly first: number; readonly last: number }, BusError>
    /** Subjects that have messages in a stream, under a filter. */
    subjects(stream: string, filter: string): Effect.Effect<ReadonlyArray<string>, BusError>
    purge(stream: string, filter: string): Effect.Effect<void, BusError>
    /** Puts a node's advertisement into the `nodes` bucket. */
    advertise(advertisement: Advertisement): Effect.Effect<void, BusError>
    withdraw(id: NodeId): Effect.Effect<void, BusError>
    /** Advertisements as they are put (null: withdrawn), the present ones first. Who falls silent is the listener's to see. */
    readonly nodes: Stream.Stream<{ readonly id: NodeId; readonly advertisement: Advertisement | null }>
  }
>()("@reelay/platform/Bus") {
  /** Reads REELAY_NATS_URL, _USER and _PASSWORD. Is there at once, with or without a server. */
  static readonly layer = Layer.effect(Bus, makeBus)
}
