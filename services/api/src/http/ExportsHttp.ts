import { Api } from "@reelay/contracts/api/Api"
import { CurrentCaller } from "@reelay/contracts/api/Authorization"
import { DEFAULT_LIMIT } from "@reelay/contracts/api/Page"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { Clock, DateTime, Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Acceptance } from "../Acceptance.ts"
import { ExportChanges } from "../ExportChanges.ts"
import { Exports } from "../Exports.ts"
import { told } from "../Trouble.ts"
import { VideoIntake } from "../VideoIntake.ts"
import { created, withAllowance, worthRetrying } from "./Answers.ts"
import { fileResponse } from "./Files.ts"
import { operatorOnly, readerOf } from "./Guards.ts"

/** Seconds that a download link lives. */
const LINK_LIFE = 3600
const RECENT_HOURS = 24

/** A client that wants the link and not the file says so; a browser that follows one does not. */
const wantsJson = (accept: string | undefined): boolean => /\bapplication\/json\b/i.test(accept ?? "")

export const ExportsHttp = HttpApiBuilder.group(
  Api,
  "exports",
  Effect.fnUntraced(function* (handlers) {
    const exports = yield* Exports
    const changes = yield* ExportChanges
    const acceptance = yield* Acceptance
    const intake = yield* VideoIntake
    const urls = yield* SignedUrl
    return handlers.handleAll({
      create: {
        handler: Effect.fnUntraced(function* ({ headers, payload }) {
          const { userId } = yield* CurrentCaller
          return yield* withAllowance(told(acceptance.accept(userId, payload, headers["idempotency-key"] ?? null)))
        }),
        // A client that hangs up has still asked.
        options: { uninterruptible: true }
      },
      estimate: Effect.fnUntraced(function* ({ payload }) {
        const { userId } = yield* CurrentCaller
        return yield* told(acceptance.estimate(userId, payload))
      }),
      list: Effect.fnUntraced(function* ({ query }) {
        const { userId } = yield* CurrentCaller
        const { cursor, limit = DEFAULT_LIMIT, sort = "-createdAt", ...filter } = query
        return yield* told(exports.list(userId, filter, sort, { limit, cursor }))
      }),
      active: Effect.fnUntraced(function* ({ query }) {
        const { userId } = yield* CurrentCaller
        return { items: yield* told(exports.active(userId, query.projectId)) }
      }),
      recent: Effect.fnUntraced(function* ({ query }) {
        const { userId } = yield* CurrentCaller
        return { items: yield* told(exports.recent(userId, query.projectId, query.hours ?? RECENT_HOURS)) }
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(exports.get(userId, params.id))
      }),
      progress: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(exports.progress(userId, params.id))
      }),
      download: Effect.fnUntraced(function* ({ params, request }) {
        const { userId } = yield* CurrentCaller
        yield* told(exports.content(userId, params.id))
        const expires = Math.floor((yield* Clock.currentTimeMillis) / 1000) + LINK_LIFE
        const url = urls.sign(`/api/exports/${params.id}/content`, expires)
        if (!wantsJson(request.headers["accept"])) return HttpServerResponse.redirect(url, { status: 302 })
        return { url, expiresAt: DateTime.makeUnsafe(expires * 1000) }
      }),
      cancel: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(changes.cancel(userId, params.id))
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return (yield* told(changes.remove(userId, params.id))) ?? undefined
      }),
      retry: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* created("/api/exports", told(changes.retry(userId, params.id)))
      }),
      attempts: Effect.fnUntraced(function* ({ params }) {
        const { operator, userId } = yield* CurrentCaller
        return { items: yield* told(exports.attempts(userId, params.id, operator)) }
      }),
      plan: Effect.fnUntraced(function* ({ params }) {
        yield* operatorOnly
        return yield* told(exports.plan(params.id))
      }),
      video: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* created("/api/videos", worthRetrying(told(intake.ofExport(userId, params.id))))
      }),
      content: Effect.fnUntraced(function* ({ params, query }) {
        const reader = yield* readerOf(`/api/exports/${params.id}/content`, query)
        const file = yield* told(exports.content(reader, params.id))
        return yield* told(fileResponse(file, "attachment"))
      }),
      poster: Effect.fnUntraced(function* ({ params, query }) {
        const reader = yield* readerOf(`/api/exports/${params.id}/poster`, query)
        const file = yield* told(exports.poster(reader, params.id))
        return yield* told(fileResponse(file, "inline"))
      })
    })
  })
)
