import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType
} from "@nats-io/jetstream"
import type { JsMsg } from "@nats-io/jetstream"
import { Kvm } from "@nats-io/kv"
import { NodeId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import type { Message } from "@reelay/contracts/messages/Message"
import { nodeAdvertisement } from "@reelay/contracts/messages/Messages"
import { NODE_TTL, NODES_BUCKET, NODES_STREAM, nodeSubject, STREAMS } from "@reelay/contracts/messages/Topology"
import type { ConsumerDeclaration, StreamDeclaration } from "@reelay/contracts/messages/Topology"
import { Config, Effect, Exit, Option, Schema, Stream } from "effect"
import { headers } from "nats"
import type { Msg, NatsConnection } from "nats"
import type { Bus } from "./Bus.ts"
import { BusError } from "./BusError.ts"
import { consumeFrom, pullFrom } from "./BusConsume.ts"
import { managerOf, perConnection, readStream, streamState } from "./BusRead.ts"
import { bodyReaderOf, encode } from "./BusWire.ts"
import { makeNatsLink } from "./NatsLink.ts"
import { askAll, attempt } from "./NatsRequest.ts"
import type { Question } from "./NatsRequest.ts"

const PUBLISH_TIMEOUT_MILLIS = 5000
const NANOS = 1_000_000_000
/** JetStream's "stream name already in use": it is there with another configuration. */
const STREAM_NAME_IN_USE = 10058
/** JetStream's "consumer already exists". */
const CONSUMER_EXISTS = 10148
const KV_OPERATION = "KV-Operation"
const MESSAGE_ID = "Nats-Msg-Id"

const Place = Schema.fromJsonString(Schema.Struct({ stream: Schema.NonEmptyString, seq: Schema.Int }))
const decodePlace = Schema.decodeUnknownExit(Place)
const unpublished = (why: string) => new BusError({ operation: "publish", cause: new Error(why) })

/** The stream's sequence under which the server has stored what was published; else what it says instead. */
const placeOf = (answer: Msg): Effect.Effect<number, BusError> => {
  const place = decodePlace(answer.string())
  return Exit.isSuccess(place) ? Effect.succeed(place.value.seq) : Effect.fail(unpublished(answer.string()))
}

const streamConfig = (stream: StreamDeclaration, replicas: number) => ({
  name: stream.name,
  subjects: [...stream.subjects],
  retention: stream.retention === "workqueue" ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
  storage: stream.storage === "file" ? StorageType.File : StorageType.Memory,
  discard: DiscardPolicy.Old,
  max_age: stream.maxAge * NANOS,
  max_msgs_per_subject: stream.maxPerSubject === 0 ? -1 : stream.maxPerSubject,
  num_replicas: replicas
})

const consumerConfig = (consumer: ConsumerDeclaration) => ({
  durable_name: consumer.durable,
  filter_subject: consumer.filter,
  ack_policy: AckPolicy.Explicit,
  ack_wait: consumer.ackWait * NANOS,
  deliver_policy: DeliverPolicy.All,
  // Attempts are counted by the scheduler, in Postgres.
  max_deliver: -1,
  max_ack_pending: 10_000
})

interface NodeNews {
  readonly id: NodeId
  readonly advertisement: Advertisement | null
}

export const makeBus = Effect.gen(function* () {
  const replicas = yield* Config.Int("REELAY_NATS_REPLICAS").pipe(Config.withDefault(1))
  const link = yield* makeNatsLink

  const ensureTopology = Effect.fn("Bus.ensureTopology")(function* () {
    const nc = yield* link.current("manage")
    const manager = yield* attempt(nc, "manage", () => managerOf(nc))
    for (const stream of STREAMS) {
      const config = streamConfig(stream, replicas)
      yield* attempt(nc, "manage", () => manager.streams.add(config)).pipe(
        Effect.catchIf(
          (error) => error.cause instanceof JetStreamApiError && error.cause.code === STREAM_NAME_IN_USE,
          () => attempt(nc, "manage", () => manager.streams.update(stream.name, config))
        )
      )
    }
    yield* attempt(nc, "manage", () =>
      new Kvm(nc).create(NODES_BUCKET, { ttl: NODE_TTL * 1000, history: 1, storage: StorageType.Memory, replicas })
    )
  })

  const ensureConsumer = Effect.fn("Bus.ensureConsumer")(function* (consumer: ConsumerDeclaration) {
    const nc = yield* link.current("manage")
    const manager = yield* attempt(nc, "manage", () => managerOf(nc))
    const config = consumerConfig(consumer)
    yield* attempt(nc, "manage", () => manager.consumers.add(consumer.stream, config)).pipe(
      // Old servers update by `add`; newer ones say that it exists otherwise.
      Effect.catchIf(
        (error) => error.cause instanceof JetStreamApiError && error.cause.code === CONSUMER_EXISTS,
        () => attempt(nc, "manage", () => manager.consumers.update(consumer.stream, consumer.durable, config))
      )
    )
  })

  const questionOf = <A extends { readonly v: number }, I>(message: Message<A, I>, body: A): Question => {
    const question = { subject: message.subject(body), payload: encode(message, body) }
    const id = message.dedupeId?.(body)
    if (id === undefined) return question
    const withId = headers()
    withId.set(MESSAGE_ID, id)
    return { ...question, headers: withId }
  }
  /** In their order, answered for the first and the last only: where those lie. */
  const store = Effect.fnUntraced(function* (questions: ReadonlyArray<Question>) {
    const nc = yield* link.current("publish")
    const last = questions.length - 1
    const sent = questions.map((question, position) =>
      position === 0 || position === last ? question : { ...question, unanswered: true }
    )
    const answers = yield* askAll(nc, link.newInbox, "publish", sent, PUBLISH_TIMEOUT_MILLIS)
    return yield* Effect.forEach(answers, (answer) => Effect.flatMap(answer, placeOf))
  })
  const publishAll: Bus["Service"]["publishAll"] = Effect.fn("Bus.publishAll")(function* (message, bodies) {
    if (bodies.length === 0) return
    const [first = 0, last = first] = yield* store(bodies.map((body) => questionOf(message, body)))
    if (last - first !== bodies.length - 1) return yield* unpublished(`${bodies.length} from ${first} to ${last}`)
  })
  const publishOne = (question: Question): Effect.Effect<void, BusError> => Effect.asVoid(store([question]))
  const publish = Effect.fn("Bus.publish")(<A extends { readonly v: number }, I>(message: Message<A, I>, body: A) =>
    Effect.suspend(() => publishOne(questionOf(message, body)))
  )

  const send = <A extends { readonly v: number }, I>(nc: NatsConnection, message: Message<A, I>, body: A) =>
    Effect.try({
      try: () => nc.publish(message.subject(body), encode(message, body)),
      catch: (cause) => new BusError({ operation: "publish", cause })
    })
  const broadcast = Effect.fn("Bus.broadcast")(function* <A extends { readonly v: number }, I>(
    message: Message<A, I>,
    body: A
  ) {
    yield* link.current("publish").pipe(
      Effect.flatMap((nc) => send(nc, message, body)),
      Effect.ignore
    )
  })

  const withdraw = Effect.fn("Bus.withdraw")(function* (id: NodeId) {
    const deletion = headers()
    deletion.set(KV_OPERATION, "DEL")
    yield* publishOne({ subject: nodeSubject(id), payload: "", headers: deletion })
  })

  const subscribe = <A extends { readonly v: number }, I>(message: Message<A, I>): Stream.Stream<A> => {
    const read = bodyReaderOf(message)
    return perConnection(link, (nc) => coreMessages(nc, message.filter)).pipe(
      Stream.mapEffect((raw) => read(raw.data)),
      Stream.map(Option.toArray),
      Stream.flattenIterable
    )
  }

  const watch: Bus["Service"]["watch"] = (stream, message) => {
    const read = bodyReaderOf(message)
    return perConnection(link, (nc) => readStream(nc, stream, message.filter, { _tag: "LastPerSubject" })).pipe(
      Stream.mapEffect(
        Effect.fnUntraced(function* ({ caughtUp, message: raw, snapshot }) {
          const body = yield* read(raw.data)
          return Option.isSome(body) ? [{ body: body.value, sequence: raw.seq, snapshot, caughtUp }] : []
        })
      ),
      Stream.flattenIterable
    )
  }

  const follow: Bus["Service"]["follow"] = (stream, message, afterSequence) =>
    Stream.suspend(() => {
      const read = bodyReaderOf(message)
      let position = { incarnation: "", sequence: afterSequence }
      return perConnection(link, (nc) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const state = yield* streamState(nc, stream)
            // Another life of the stream: its sequences start anew, and so does the reader.
            const known = position.incarnation === "" || position.incarnation === state.incarnation
            position = {
              incarnation: state.incarnation,
              sequence: known ? Math.min(position.sequence, state.last) : 0
            }
            return readStream(nc, stream, message.filter, { _tag: "After", sequence: position.sequence }).pipe(
              Stream.map(({ message }) => {
                position = { incarnation: state.incarnation, sequence: message.seq }
                return { raw: message, incarnation: state.incarnation }
              })
            )
          })
        )
      ).pipe(
        Stream.mapEffect(
          Effect.fnUntraced(function* ({ incarnation, raw }) {
            const body = yield* read(raw.data)
            return Option.isSome(body)
              ? [{ body: body.value, sequence: raw.seq, incarnation, storedMillis: raw.time.getTime() }]
              : []
          })
        ),
        Stream.flattenIterable
      )
    })

  const readNode = bodyReaderOf(nodeAdvertisement)
  const nodeOf = Effect.fnUntraced(function* (message: JsMsg) {
    if (message.headers?.has(KV_OPERATION) === true) {
      const id = NodeId.makeOption(message.subject.slice(message.subject.lastIndexOf(".") + 1))
      return Option.map(id, (id): NodeNews => ({ id, advertisement: null }))
    }
    const body = yield* readNode(message.data)
    return Option.map(body, (advertisement): NodeNews => ({ id: advertisement.id, advertisement }))
  })
  const nodes = perConnection(link, (nc) =>
    readStream(nc, NODES_STREAM, nodeAdvertisement.filter, { _tag: "LastPerSubject" })
  ).pipe(
    Stream.mapEffect(({ message }) => nodeOf(message)),
    Stream.flatMap(Option.match({ onNone: () => Stream.empty, onSome: (news) => Stream.succeed(news) }))
  )

  const service: Bus["Service"] = {
    connected: link.connected,
    connections: link.connections.pipe(Stream.map(() => undefined)),
    ensureTopology: ensureTopology(),
    ensureConsumer,
    publish,
    publishAll,
    broadcast,
    subscribe,
    consume: (consumer, message, { maxInFlight }) => consumeFrom(link, consumer, message, maxInFlight),
    pull: Effect.fn("Bus.pull")((consumer, message, expiresMillis) => pullFrom(link, consumer, message, expiresMillis)),
    watch,
    follow,
    streamState: Effect.fn("Bus.streamState")(function* (stream) {
      return yield* streamState(yield* link.current("read"), stream)
    }),
    subjects: Effect.fn("Bus.subjects")(function* (stream, filter) {
      const nc = yield* link.current("read")
      const info = yield* attempt(nc, "read", async () =>
        (await managerOf(nc)).streams.info(stream, { subjects_filter: filter })
      )
      return Object.keys(info.state.subjects ?? {})
    }),
    purge: Effect.fn("Bus.purge")(function* (stream, filter) {
      const nc = yield* link.current("manage")
      yield* attempt(nc, "manage", async () => (await managerOf(nc)).streams.purge(stream, { filter }))
    }),
    advertise: (advertisement) => publish(nodeAdvertisement, advertisement),
    withdraw,
    nodes
  }
  return service
})

const coreMessages = (nc: NatsConnection, filter: string): Stream.Stream<Msg, BusError> =>
  Stream.unwrap(
    Effect.acquireRelease(
      Effect.try({
        try: () => nc.subscribe(filter),
        catch: (cause) => new BusError({ operation: "read", cause })
      }),
      (subscription) => Effect.sync(() => subscription.unsubscribe())
    ).pipe(
      Effect.map((subscription) =>
        Stream.fromAsyncIterable(subscription, (cause) => new BusError({ operation: "read", cause }))
      )
    )
  )
