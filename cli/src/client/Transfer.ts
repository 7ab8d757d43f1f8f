import * as NodeStream from "@effect/platform-node/NodeStream"
import type { ExportId } from "@reelay/contracts/Ids"
import type { Output } from "@reelay/contracts/Export"
import { Effect, Option, Redacted, Schema, Stream } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { createReadStream } from "node:fs"
import { open, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Failure } from "../Failure.ts"
import { token, Unreachable } from "./Api.ts"
import type { ApiClient } from "./Api.ts"
import type { Source } from "./Source.ts"

/** Hears how many bytes went through so far. */
export type OnBytes = (bytes: number) => Effect.Effect<void>

const SAY_EVERY_MILLIS = 200
const CHUNK_BYTES = 256 * 1024

/** Counts, and says so not too often. */
const counting = (onBytes: OnBytes) => {
  let bytes = 0
  let saidAt = Number.NEGATIVE_INFINITY
  return (chunk: Uint8Array) => {
    bytes += chunk.byteLength
    if (performance.now() - saidAt < SAY_EVERY_MILLIS) return Effect.void
    saidAt = performance.now()
    return onBytes(bytes)
  }
}

/** The file as a Video, streamed: its size does not matter. */
export const upload = (api: ApiClient, source: Source, onBytes: OnBytes) =>
  Effect.suspend(() =>
    api.videos.create({
      query: { name: source.name },
      payload: NodeStream.fromReadable({
        evaluate: () => createReadStream(source.path, { highWaterMark: CHUNK_BYTES }),
        onError: (cause) =>
          new Failure({ code: "input_error", message: `${source.path} cannot be read: ${String(cause)}` })
      }).pipe(Stream.tap(counting(onBytes)))
    })
  )

const Problem = Schema.Struct({ code: Schema.String, detail: Schema.String })

/** A body as a file, with what it must be said about. */
const save = async (body: ReadableStream<Uint8Array>, path: string, onChunk: (chunk: Uint8Array) => void) => {
  const hash = createHash("sha256")
  const file = await open(path, "wx")
  let bytes = 0
  try {
    for await (const chunk of body) {
      hash.update(chunk)
      bytes += chunk.byteLength
      onChunk(chunk)
      await file.writeFile(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest("hex") }
}

/**
 * A finished file, under its name only when all of it is there and is what the export's row says: it is written beside
 * and renamed.
 */
export const download = Effect.fn("Transfer.download")(function* (
  url: string,
  id: ExportId,
  output: Output,
  path: string,
  onBytes: OnBytes
) {
  const bearer = yield* token.pipe(Effect.mapError((error) => new Failure({ message: error.message })))
  const beside = join(dirname(path), `.reelay-${id}-${randomBytes(4).toString("hex")}.part`)
  const count = counting(onBytes)
  const fetched = Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`${url}/api/exports/${id}/download`, {
        signal,
        headers: Option.match(bearer, {
          onNone: () => ({}),
          onSome: (value) => ({ authorization: `Bearer ${Redacted.value(value)}` })
        })
      })
      if (!response.ok || response.body === null) {
        const problem: unknown = await response.json().catch(() => null)
        const detail = Schema.is(Problem)(problem)
          ? problem
          : { code: "unavailable", detail: `the download answers ${response.status}` }
        throw response.status >= 500
          ? new Unreachable({ message: detail.detail })
          : new Failure({ code: detail.code, message: detail.detail })
      }
      return await save(response.body, beside, (chunk) => Effect.runSync(count(chunk)))
    },
    catch: (cause) => {
      if (cause instanceof Failure || cause instanceof Unreachable) return cause
      const written =
        cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("E")
      return written
        && "syscall" in cause
        && (cause.syscall === "write" || cause.syscall === "open" || cause.syscall === "fsync")
        ? new Failure({ code: "storage_error", message: `${path} cannot be written: ${cause.message}` })
        : new Unreachable({ message: `the download broke off: ${String(cause)}` })
    }
  })
  yield* Effect.gen(function* () {
    const arrived = yield* fetched
    if (arrived.bytes !== output.bytes || arrived.sha256 !== output.sha256) {
      return yield* new Unreachable({ message: "the file did not arrive as it was made" })
    }
    yield* Effect.tryPromise({
      try: () => rename(beside, path),
      catch: (cause) => new Failure({ code: "storage_error", message: `${path} cannot be written: ${String(cause)}` })
    })
  }).pipe(Effect.ensuring(Effect.promise(() => rm(beside, { force: true }))))
  yield* onBytes(output.bytes)
})
