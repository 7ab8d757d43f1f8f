import { Effect } from "effect"
import { ObjectStoreError } from "./ObjectStore.ts"

/** Where a directory store writes what is not whole yet: no object is ever there. */
export const TEMPORARIES = ".tmp"

const MAX_KEY_BYTES = 1024
/** Names in file systems. */
const MAX_SEGMENT_BYTES = 255

const isSegment = (segment: string): boolean =>
  segment !== ""
  && segment !== "."
  && segment !== ".."
  && Buffer.byteLength(segment) <= MAX_SEGMENT_BYTES
  // Control characters and lone surrogates name no file that can be named again.
  && !/[\p{Cc}\\]/u.test(segment)
  && segment.isWellFormed()

/** Whether a key is one that every store can hold: relative, without empty or dotted segments, not too long. */
export const isKey = (key: string): boolean => {
  const segments = key.split("/")
  return (
    Buffer.byteLength(key) <= MAX_KEY_BYTES && segments.every(isSegment) && segments[0]?.toLowerCase() !== TEMPORARIES
  )
}

const refuse = (operation: string, key: string) =>
  new ObjectStoreError({ operation, key: key.slice(0, MAX_KEY_BYTES), reason: "invalid_key" })

export const checkKey = (operation: string, key: string): Effect.Effect<string, ObjectStoreError> =>
  isKey(key) ? Effect.succeed(key) : Effect.fail(refuse(operation, key))

/** A prefix is a key and a final `/`; the empty one means everything. */
export const checkPrefix = (operation: string, prefix: string): Effect.Effect<string, ObjectStoreError> =>
  prefix === "" || (prefix.endsWith("/") && isKey(prefix.slice(0, -1)))
    ? Effect.succeed(prefix)
    : Effect.fail(refuse(operation, prefix))
