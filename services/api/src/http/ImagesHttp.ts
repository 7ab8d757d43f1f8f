import { Api } from "@reelay/contracts/api/Api"
import { CurrentCaller } from "@reelay/contracts/api/Authorization"
import { DEFAULT_LIMIT } from "@reelay/contracts/api/Page"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Images, MAX_IMAGE_BYTES } from "../Images.ts"
import { told } from "../Trouble.ts"
import { tooLarge } from "../VideoIntake.ts"
import { created, worthRetrying } from "./Answers.ts"
import { fileResponse } from "./Files.ts"
import { readerOf } from "./Guards.ts"
import { uploads } from "./Uploads.ts"

export const ImagesHttp = HttpApiBuilder.group(
  Api,
  "images",
  Effect.fnUntraced(function* (handlers) {
    const images = yield* Images
    const bodyOf = yield* uploads
    return handlers
      .handleRaw(
        "create",
        Effect.fnUntraced(function* ({ query, request }) {
          const { userId } = yield* CurrentCaller
          if (Number(request.headers["content-length"] ?? 0) > MAX_IMAGE_BYTES) return yield* tooLarge(MAX_IMAGE_BYTES)
          const upload = images.upload(userId, query.name ?? "image", bodyOf(request))
          return yield* created("/api/images", worthRetrying(told(upload)))
        })
      )
      .handle(
        "list",
        Effect.fnUntraced(function* ({ query }) {
          const { userId } = yield* CurrentCaller
          return yield* told(images.list(userId, { limit: query.limit ?? DEFAULT_LIMIT, cursor: query.cursor }))
        })
      )
      .handle(
        "get",
        Effect.fnUntraced(function* ({ params }) {
          const { userId } = yield* CurrentCaller
          return yield* told(images.get(userId, params.id))
        })
      )
      .handle(
        "remove",
        Effect.fnUntraced(function* ({ params }) {
          const { userId } = yield* CurrentCaller
          return yield* told(images.remove(userId, params.id))
        })
      )
      .handle(
        "content",
        Effect.fnUntraced(function* ({ params, query }) {
          const reader = yield* readerOf(`/api/images/${params.id}/content`, query)
          return yield* told(fileResponse(yield* told(images.content(reader, params.id)), "inline"))
        })
      )
  })
)
