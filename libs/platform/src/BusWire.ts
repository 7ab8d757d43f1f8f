import type { Message } from "@reelay/contracts/messages/Message"
import { Effect, Exit, Metric, Option, Schema } from "effect"

/**
 * Bytes ↔ messages, and what to do with those that cannot be read: both kinds are counted, and neither ever ends a
 * reader. A newer version is another process' ahead of us in a rolling upgrade; what does not decode is nobody's.
 */
export type Read<A> = { readonly _tag: "Ok"; readonly body: A } | Rejected
export interface Rejected {
  readonly _tag: "Rejected"
  readonly reason: "newer" | "undecodable"
}
const NEWER: Rejected = { _tag: "Rejected", reason: "newer" }
const UNDECODABLE: Rejected = { _tag: "Rejected", reason: "undecodable" }

const rejectedMessages = Metric.counter("reelay_messages_rejected_total", {
  description: "Messages from NATS that were not understood, by message and reason",
  incremental: true
})

const Json = Schema.fromJsonString(Schema.Unknown)
const Versioned = Schema.Struct({ v: Schema.Int })
const decodeJson = Schema.decodeUnknownExit(Json)
const decodeVersion = Schema.decodeUnknownExit(Versioned)
const text = new TextDecoder()

/** A reader for one kind of message. Unknown fields are ignored. */
export const readerOf = <A extends { readonly v: number }, I>(message: Message<A, I>) => {
  const decodeBody = Schema.decodeUnknownExit(Schema.toCodecJson(message.schema))
  return (data: Uint8Array): Read<A> => {
    const json = decodeJson(text.decode(data))
    if (Exit.isFailure(json)) return UNDECODABLE
    const version = decodeVersion(json.value)
    if (Exit.isSuccess(version) && version.value.v > message.version) return NEWER
    const body = decodeBody(json.value)
    return Exit.isSuccess(body) ? { _tag: "Ok", body: body.value } : UNDECODABLE
  }
}

export const countRejected = (name: string, { reason }: Rejected): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(rejectedMessages, { message: name, reason }), 1)

/** What can be read of a message that was not asked for: the body, or nothing and one more that was rejected. */
export const bodyReaderOf = <A extends { readonly v: number }, I>(message: Message<A, I>) => {
  const read = readerOf(message)
  return (data: Uint8Array): Effect.Effect<Option.Option<A>> => {
    const result = read(data)
    if (result._tag === "Ok") return Effect.succeedSome(result.body)
    return Effect.as(countRejected(message.name, result), Option.none())
  }
}

/** One for each kind of message: making it costs more than using it. */
const encoders = new WeakMap<object, (body: unknown) => unknown>()
const encoderOf = <A extends { readonly v: number }, I>(message: Message<A, I>): ((body: unknown) => unknown) => {
  const known = encoders.get(message)
  if (known !== undefined) return known
  const made = Schema.encodeUnknownSync(Schema.toCodecJson(message.schema))
  encoders.set(message, made)
  return made
}

/** Encoding a typed body cannot fail but by a programmer's mistake: then it throws. */
export const encode = <A extends { readonly v: number }, I>(message: Message<A, I>, body: A): string =>
  JSON.stringify(encoderOf(message)(body))
