import { Api } from "@reelay/contracts/api/Api"
import { CurrentCaller } from "@reelay/contracts/api/Authorization"
import { DEFAULT_LIMIT } from "@reelay/contracts/api/Page"
import { Validation } from "@reelay/contracts/Problem"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Clips } from "../Clips.ts"
import type { ExpectedVersion } from "../Clips.ts"
import { Exports } from "../Exports.ts"
import { Projects } from "../Projects.ts"
import { told } from "../Trouble.ts"
import { created, versioned } from "./Answers.ts"

/** `"3"`, as the answer's ETag says it; a bare 3 is understood, too. */
const expectedVersion = Effect.fnUntraced(function* (header: string | undefined) {
  if (header === undefined) return null
  const [, digits] = /^(?:W\/)?"?(\d{1,9})"?$/.exec(header.trim()) ?? []
  const expected: ExpectedVersion = header.trim() === "*" ? "*" : Number(digits)
  if (!Number.isNaN(expected)) return expected
  const message = "is not a version that this api gave"
  return yield* new Validation({ detail: `If-Match ${message}.`, errors: [{ field: "if-match", message }] })
})

export const ProjectsHttp = HttpApiBuilder.group(
  Api,
  "projects",
  Effect.fnUntraced(function* (handlers) {
    const projects = yield* Projects
    const clips = yield* Clips
    const exports = yield* Exports
    return handlers.handleAll({
      create: Effect.fnUntraced(function* ({ payload }) {
        const { userId } = yield* CurrentCaller
        return yield* created("/api/projects", told(projects.create(userId, payload)))
      }),
      list: Effect.fnUntraced(function* ({ query }) {
        const { userId } = yield* CurrentCaller
        return yield* told(projects.list(userId, { limit: query.limit ?? DEFAULT_LIMIT, cursor: query.cursor }))
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(projects.get(userId, params.id))
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const { userId } = yield* CurrentCaller
        return yield* told(projects.update(userId, params.id, payload))
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(projects.remove(userId, params.id))
      }),
      exports: Effect.fnUntraced(function* ({ params, query }) {
        const { userId } = yield* CurrentCaller
        yield* told(projects.get(userId, params.id))
        const { cursor, limit = DEFAULT_LIMIT, sort = "-createdAt", ...filter } = query
        return yield* told(exports.list(userId, { ...filter, projectId: params.id }, sort, { limit, cursor }))
      }),
      addClip: Effect.fnUntraced(function* ({ params, payload }) {
        const { userId } = yield* CurrentCaller
        return yield* versioned(
          created(`/api/projects/${params.id}/clips`, told(clips.add(userId, params.id, payload)))
        )
      }),
      orderClips: Effect.fnUntraced(function* ({ params, payload }) {
        const { userId } = yield* CurrentCaller
        return { items: yield* told(clips.reorder(userId, params.id, payload.clipIds)) }
      }),
      updateClip: Effect.fnUntraced(function* ({ headers, params, payload }) {
        const { userId } = yield* CurrentCaller
        const expected = yield* expectedVersion(headers["if-match"])
        return yield* versioned(told(clips.update(userId, params.id, params.clipId, payload, expected)))
      }),
      removeClip: Effect.fnUntraced(function* ({ params }) {
        const { userId } = yield* CurrentCaller
        return yield* told(clips.remove(userId, params.id, params.clipId))
      })
    })
  })
)
