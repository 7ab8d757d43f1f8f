import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { endLeftovers, endProcess } from "../stack/Leftovers.ts"
import { Place } from "../stack/Place.ts"
import { holdFolder } from "../stack/Stack.ts"
import { runningStack } from "../stack/StackNote.ts"

/** Longer than all graces of a stop together. */
const STOP_MILLIS = 30_000

/** Stops the stack of this data folder, or what a killed one left. Says whether there was anything. */
export const stopStack = Effect.fn("Stop.stopStack")(function* () {
  const place = yield* Place
  const running = runningStack(place)
  if (running !== null) yield* endProcess(running, STOP_MILLIS)
  const left = yield* Effect.scoped(holdFolder(place, false).pipe(Effect.andThen(endLeftovers(place))))
  return running !== null || left > 0
})

export const stop = Command.make("stop", {}, () =>
  Effect.gen(function* () {
    const { data } = yield* Place
    const stopped = yield* stopStack()
    yield* Console.log(stopped ? "Reelay has stopped." : `Nothing runs on ${data}.`)
  })
).pipe(
  Command.withShortDescription("Stop the Reelay of this data folder (npm stop)"),
  Command.withDescription(
    "Stop the Reelay that runs on REELAY_DATA (.reelay), also one that an export started, or what a killed one left. "
      + "Exports that are under way go on at the next start."
  )
)
