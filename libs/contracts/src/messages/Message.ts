import type { Schema } from "effect"

/**
 * A kind of message on NATS: its schema, its version and where it travels. Every body carries `v`; readers ignore
 * unknown fields, give back a message of a newer version, and terminate one that does not decode (Bus.ts).
 */
export interface Message<A extends { readonly v: number }, I = unknown> {
  readonly name: string
  /** The highest version this code understands. */
  readonly version: number
  readonly subject: (body: A) => string
  /** What a subscription to all of them listens to. */
  readonly filter: string
  readonly schema: Schema.Codec<A, I>
  /** `Nats-Msg-Id`: publishing the same id twice within two minutes stores it once. Null: not deduplicated. */
  readonly dedupeId: ((body: A) => string) | null
}

export const make = <A extends { readonly v: number }, I>(message: Message<A, I>): Message<A, I> => message
