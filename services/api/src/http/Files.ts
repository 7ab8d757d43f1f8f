import { NotFound } from "@reelay/contracts/Problem"
import { Effect, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { isThere, read } from "../MediaFiles.ts"
import type { MediaFile } from "../MediaFiles.ts"
import { namesTag, rangeOf } from "./Ranges.ts"

/** Seconds. The bytes under an id never change; whether one may read them is what should be asked again. */
const CACHE = "private, max-age=3600"

/** RFC 6266: a name that every client reads, and the real one. */
const disposition = (kind: "inline" | "attachment", name: string): string => {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, "_").replaceAll(/["\\%]/g, "_")
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`
  )
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`
}

/** A file as an answer: whole, a part of it, or that the reader has it already. */
export const fileResponse = Effect.fnUntraced(function* (file: MediaFile, kind: "inline" | "attachment") {
  const request = yield* HttpServerRequest.HttpServerRequest
  const store = yield* ObjectStore
  const etag = `"${file.tag}"`
  const headers = { "accept-ranges": "bytes", "cache-control": CACHE, etag }
  if (namesTag(request.headers["if-none-match"], etag)) return HttpServerResponse.empty({ status: 304, headers })
  if (!(yield* isThere(file))) return yield* new NotFound({ detail: "The file is no longer there as it was." })
  const condition = request.headers["if-range"]
  const range =
    condition !== undefined && condition !== etag
      ? rangeOf(undefined, 0)
      : rangeOf(request.headers["range"], file.bytes)
  if (range._tag === "Unsatisfiable") {
    return HttpServerResponse.empty({ status: 416, headers: { ...headers, "content-range": `bytes */${file.bytes}` } })
  }
  const { end, start } = range._tag === "Part" ? range : { start: 0, end: file.bytes }
  return HttpServerResponse.stream(read(file, { start, end }).pipe(Stream.provideService(ObjectStore, store)), {
    status: range._tag === "Part" ? 206 : 200,
    contentType: file.contentType,
    contentLength: end - start,
    headers: {
      ...headers,
      "content-disposition": disposition(kind, file.name),
      ...(range._tag === "Part" ? { "content-range": `bytes ${start}-${end - 1}/${file.bytes}` } : {})
    }
  })
})
