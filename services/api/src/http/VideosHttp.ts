import { Api } from "@reelay/contracts/api/Api"
import { CurrentCaller } from "@reelay/contracts/api/Authorization"
import { DEFAULT_LIMIT } from "@reelay/contracts/api/Page"
import { VideoReference } from "@reelay/contracts/api/Videos"
import { Validation } from "@reelay/contracts/Problem"
import { Effect, Schema } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import { Acceptance } from "../Acceptance.ts"
import { Exports } from "../Exports.ts"
import { told } from "../Trouble.ts"
import { tooLarge, VideoIntake } from "../VideoIntake.ts"
import { Videos } from "../Videos.ts"
import { created, withAllowance, worthRetrying } from "./Answers.ts"
import { fileResponse } from "./Files.ts"
import { readerOf } from "./Guards.ts"
import { isJson } from "./Pipeline.ts"
import { uploads } from "./Uploads.ts"

const decodeReference = Schema.decodeUnknownEffect(Schema.fromJsonString(VideoReference), {
  onExcessProperty: "error",
  errors: "all"
})

/** A JSON body names footage by reference. */
const referenceOf = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const text = yield* Effect.orDie(request.text)
  // As the library does with payloads that it decodes itself, so that one place makes the problem.
  return yield* Effect.orDie(HttpApiError.HttpApiSchemaError.wrap("Payload", decodeReference(text)))
})

export const VideosHttp = HttpApiBuilder.group(
  Api,
  "videos",
  Effect.fnUntraced(function* (handlers) {
    const videos = yield* Videos
    const intake = yield* VideoIntake
    const bodyOf = yield* uploads
    const exports = yield* Exports
    const acceptance = yield* Acceptance
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ query, request }) {
          const { userId } = yield* CurrentCaller
          if (isJson(request)) {
            const reference = yield* referenceOf(request)
            const named =
              query.name === undefined || "name" in reference ? reference : { ...reference, name: query.name }
            return yield* created("/api/videos", worthRetrying(told(intake.refer(userId, named))))
          }
          if (Number(request.headers["content-length"] ?? 0) > intake.maxUploadBytes) {
            return yield* tooLarge(intake.maxUploadBytes)
          }
          const upload = intake.upload(userId, query.name ?? "video", bodyOf(request))
          return yield* created("/api/videos", worthRetrying(told(upload)))
        })
      )
      .handle(
        "list",
        Effect.fnUntraced(function* ({ query }) {
          const { userId } = yield* CurrentCaller
          return yield* told(videos.list(userId, { limit: query.limit ?? DEFAULT_LIMIT, cursor: query.cursor }))
        })
      )
      .handle(
        "get",
        Effect.fnUntraced(function* ({ params }) {
          const { userId } = yield* CurrentCaller
          return yield* told(videos.get(userId, params.id))
        })
      )
      .handle(
        "remove",
        Effect.fnUntraced(function* ({ params }) {
          const { userId } = yield* CurrentCaller
          return yield* told(videos.remove(userId, params.id))
        })
      )
      .handle(
        "exports",
        Effect.fnUntraced(function* ({ params, query }) {
          const { userId } = yield* CurrentCaller
          yield* told(videos.get(userId, params.id))
          const { cursor, limit = DEFAULT_LIMIT, sort = "-createdAt", ...filter } = query
          return yield* told(exports.list(userId, { ...filter, videoId: params.id }, sort, { limit, cursor }))
        })
      )
      .handle(
        "export",
        Effect.fnUntraced(function* ({ headers, params, payload }) {
          const { userId } = yield* CurrentCaller
          if (payload.videoId !== undefined && payload.videoId !== params.id) {
            const message = "is not the video of this address"
            return yield* new Validation({ detail: `videoId ${message}.`, errors: [{ field: "videoId", message }] })
          }
          yield* told(videos.get(userId, params.id))
          const request = { ...payload, videoId: params.id }
          return yield* withAllowance(told(acceptance.accept(userId, request, headers["idempotency-key"] ?? null)))
        }),
        { uninterruptible: true }
      )
      .handle(
        "content",
        Effect.fnUntraced(function* ({ params, query }) {
          const reader = yield* readerOf(`/api/videos/${params.id}/content`, query)
          const file = yield* told(videos.content(reader, params.id))
          return yield* told(fileResponse(file, "inline"))
        })
      )
      .handle(
        "poster",
        Effect.fnUntraced(function* ({ params, query }) {
          const reader = yield* readerOf(`/api/videos/${params.id}/poster`, query)
          const file = yield* told(videos.poster(reader, params.id))
          return yield* told(fileResponse(file, "inline"))
        })
      )
  })
)
