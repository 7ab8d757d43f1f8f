import { Console, Effect, Schema } from "effect"

/** For machines: each item on a line of its own, as the wire has it. */
export const jsonLines = <A, I>(schema: Schema.Codec<A, I>, items: ReadonlyArray<A>): Effect.Effect<void> => {
  const encode = Schema.encodeSync(schema)
  return Effect.forEach(items, (item) => Console.log(JSON.stringify(encode(item))), { discard: true })
}
