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
    if (found.progress !== null && !Equal.equals(found.progress, last)) {
      last = found.progress
      yield* onProgress(found.progress)
    }
    if (isTerminal(found.status)) return found
    yield* Effect.sleep(LOOK_EVERY_MILLIS)
  }
})
