import { isTerminal } from "@reelay/contracts/Export"
import type { Export, Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { Effect, Equal } from "effect"
import { Connection } from "./Connection.ts"

const LOOK_EVERY_MILLIS = 300

/**
 * Watches an export to its end, by asking: the answer is the same as on the WebSocket, and asking again is all it takes
 * after any service was restarted.
 */
export const follow = Effect.fn("Follow.follow")(function* (
  id: ExportId,
  onProgress: (progress: Progress) => Effect.Effect<void>
) {
  const connection = yield* Connection
  let last: Progress | null = null
  for (;;) {
    const found: Export = yield* connection.call(({ api }) => api.exports.get({ params: { id } }))
    // Of what waits there is no progress, as a rule; its place is told where it is asked for.
    const progress: Progress | null =
      found.progress === null && found.status === "pending"
        ? yield* connection.call(({ api }) => api.exports.progress({ params: { id } }))
        : found.progress
    // Asked for a moment later it may have begun meanwhile: the next look tells of that.
    if (progress?.status === found.status && !Equal.equals(progress, last)) {
      last = progress
      yield* onProgress(progress)
    }
    if (isTerminal(found.status)) return found
    yield* Effect.sleep(LOOK_EVERY_MILLIS)
  }
})
