import * as NodeStream from "@effect/platform-node/NodeStream"
import type { SourceLocation } from "@reelay/contracts/Media"
import { ObjectStore, ObjectStoreError } from "@reelay/platform/ObjectStore"
import type { ByteRange } from "@reelay/platform/ObjectStore"
import { Effect, Stream } from "effect"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"

/** A file that is to be handed out: where it is and what to call it. */
export interface MediaFile {
  readonly location: SourceLocation
  readonly bytes: number
  /** Identity of the bytes. */
  readonly tag: string
  readonly contentType: string
  readonly name: string
}

/** Containers by the first of ffprobe's names, and what browsers call them. */
const TYPES: Record<string, string> = {
  mov: "video/mp4",
  matroska: "video/x-matroska",
  avi: "video/x-msvideo",
  mpegts: "video/mp2t",
  mpeg: "video/mpeg",
  ogg: "video/ogg",
  flv: "video/x-flv"
}

/** `matroska,webm` is one demuxer: players tell the two apart by looking. */
export const contentTypeOfContainer = (container: string): string =>
  container.includes("webm") ? "video/webm" : (TYPES[container.split(",")[0] ?? ""] ?? "application/octet-stream")

/** The bytes of a range. Footage by reference that has changed since it was added is gone, and not another picture. */
export const read = (file: MediaFile, range: ByteRange): Stream.Stream<Uint8Array, ObjectStoreError, ObjectStore> => {
  const { location } = file
  if (location._tag === "object") return Stream.unwrap(ObjectStore.useSync((store) => store.get(location.key, range)))
  if (range.end <= range.start) return Stream.empty
  return NodeStream.fromReadable({
    evaluate: () => createReadStream(location.path, { start: range.start, end: range.end - 1 }),
    onError: (cause) => new ObjectStoreError({ operation: "read", key: location.path, reason: "io", cause })
  })
}

/** Whether the bytes are (still) there as they were. */
export const isThere = Effect.fnUntraced(function* (file: MediaFile) {
  const { location } = file
  if (location._tag === "object")
    return (yield* ObjectStore.use((store) => store.head(location.key)))?.size === file.bytes
  return yield* Effect.promise(() =>
    stat(location.path).then(
      (found) =>
        found.isFile() && found.size === location.bytes && Math.floor(found.mtimeMs) === location.modifiedMillis,
      () => false
    )
  )
})
