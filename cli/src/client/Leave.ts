import { Effect } from "effect"
import { endProcess } from "../stack/Leftovers.ts"
import { Place } from "../stack/Place.ts"
import { runningStack } from "../stack/StackNote.ts"
import { hasOtherClients } from "./Clients.ts"
import { Connection } from "./Connection.ts"

const STOP_MILLIS = 30_000

/**
 * After the last use: a stack that a command started for itself is stopped, unless another command uses it or an
 * export is still under way. One that a person started stays.
 */
export const leave = Effect.fn("Leave.leave")(function* () {
  const place = yield* Place
  const connection = yield* Connection
  const note = runningStack(place)
  if (note === null || !note.transient || hasOtherClients(place)) return
  const active =
    note.url === null
      ? []
      : yield* connection
          .once(({ api }) => api.exports.active({ query: {} }))
          .pipe(
            Effect.map(({ items }) => items),
            // Whoever can't say has nothing that a stop would harm: exports go on at the next start.
            Effect.orElseSucceed(() => [])
          )
  if (active.length === 0) yield* endProcess(note, STOP_MILLIS)
})
