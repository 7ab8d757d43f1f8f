import { Validation } from "@reelay/contracts/Problem"
import { Effect, Result, Schema } from "effect"
import { Base64Url } from "effect/encoding"

/**
 * Where a page ended: the sort key of its last row and the row's id, which breaks ties. Opaque to clients; one that was
 * made for another order, or by hand, is refused.
 */
const Position = Schema.fromJsonString(
  Schema.Tuple([Schema.String, Schema.Union([Schema.Finite, Schema.String]), Schema.String])
)

export interface Cursor {
  readonly key: number | string
  readonly id: string
}

export const encodeCursor = (sort: string, cursor: Cursor): string =>
  Base64Url.encode(JSON.stringify([sort, cursor.key, cursor.id]))

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** `isKey`: whether a row's sort key can be like that. */
export const decodeCursor = Effect.fnUntraced(function* (
  sort: string,
  text: string | undefined,
  isKey: (key: number | string) => boolean = () => true
) {
  if (text === undefined) return null
  const refusal = new Validation({
    detail: "The cursor is not one that this list gave.",
    errors: [{ field: "cursor", message: "is not one that this list gave" }]
  })
  const json = yield* Effect.fromResult(Result.mapError(Base64Url.decodeString(text), () => refusal))
  const [made, key, id] = yield* Schema.decodeUnknownEffect(Position)(json).pipe(Effect.mapError(() => refusal))
  if (made !== sort || !UUID.test(id) || !isKey(key)) return yield* refusal
  return { key, id }
})

/** Cuts a list that was asked for one row too many, and says where the next page begins. */
export const pageOf = <Row>(rows: ReadonlyArray<Row>, limit: number, sort: string, cursorOf: (row: Row) => Cursor) => {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return {
    items,
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(sort, cursorOf(last)) : null
  }
}
