import { Console, DateTime, Effect, Schedule } from "effect"
import { Command, Flag } from "effect/cli"
import { readLock } from "../../launch/ProcessLock.mjs"
import { Failure } from "../Failure.ts"
import { interruptible, Signals } from "../Signals.ts"
import { Place } from "../stack/Place.ts"
import { obstacleOf, readinessOf } from "../stack/Readiness.ts"
import { startStack } from "../stack/Stack.ts"

const SLOW = "20 seconds"
const FOLDER_LOOK = "3 seconds"

const screen = (url: string, data: string) => `
  Reelay is ready.

    web page   ${url}
    API        ${url}/docs
    data       ${data}
    logs       ${data}/logs

  Ctrl-C stops it. Exports that are under way go on at the next start.
`

const tell = (line: string) =>
  Effect.flatMap(DateTime.nowAsDate, (now) => Console.log(`${now.toTimeString().slice(0, 8)}  ${line}`))

/** Says once what a start that takes long is waiting for, and goes on waiting. */
const whenReady = (url: string) =>
  Effect.raceFirst(
    readinessOf(url),
    Effect.sleep(SLOW).pipe(
      Effect.andThen(obstacleOf(url)),
      Effect.flatMap((obstacle) => tell(`not ready yet: ${obstacle ?? "almost"}`)),
      Effect.andThen(Effect.never)
    )
  )

/** Fails when our lock is no longer there: somebody has deleted the data folder under a running stack. */
const folderLost = (place: Place["Service"]) =>
  Effect.sync(() => readLock(place.lock)?.pid === process.pid).pipe(
    Effect.repeat({ schedule: Schedule.spaced(FOLDER_LOOK), until: (ours) => !ours }),
    Effect.andThen(Effect.fail(new Failure({ message: `the data folder ${place.data} is gone` })))
  )

const foreground = Effect.fn("Up.foreground")(function* (transient: boolean) {
  const place = yield* Place
  yield* Console.log(`Starting Reelay on ${place.data} …`)
  const url = yield* startStack({ tell, transient })
  yield* whenReady(url)
  yield* Console.log(screen(url, place.data))
  yield* Effect.addFinalizer(() => Console.log("Stopping …"))
  return yield* folderLost(place)
})

export const up = Command.make(
  "up",
  {
    transient: Flag.Boolean("transient").pipe(
      Flag.withDescription("Stop when no command uses it any more"),
      Flag.withDefault(false),
      Flag.withHidden
    )
  },
  ({ transient }) =>
    interruptible(Effect.scoped(foreground(transient))).pipe(
      // To stop is how it ends: a success.
      Effect.catchTag("Interrupted", () => Console.log("Reelay has stopped."))
    )
).pipe(
  Command.provide(Signals.layer),
  Command.withShortDescription("Run Reelay here until Ctrl-C (npm start)"),
  Command.withDescription(
    "Run all of Reelay in the foreground: the web page and API, the scheduler, an encoder, the notifier, nats-server and "
      + "PostgreSQL. REELAY_PORT (8080) and REELAY_DATA (.reelay) say where; with others of both, several run side by side. "
      + "Whatever dies is started again."
  )
)
