import { Schema } from "effect"
import { Count } from "../Quantity.ts"

/** A page of a list. `nextCursor` is opaque, null on the last page; `total` counts all that match. */
export const Page = <S extends Schema.Top>(item: S) =>
  Schema.Struct({
    items: Schema.Array(item),
    nextCursor: Schema.NullOr(Schema.String),
    total: Count
  })

/** Items of a list that has no pages. */
export const Items = <S extends Schema.Top>(item: S) => Schema.Struct({ items: Schema.Array(item) })

const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))

/** Query of every list: at most `limit` items (50), after `cursor`. */
export const pageQuery = {
  limit: Schema.optionalKey(Schema.FiniteFromString.pipe(Schema.decodeTo(Limit))),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isBetweenLength(1, 512)))
}
export const DEFAULT_LIMIT = 50
