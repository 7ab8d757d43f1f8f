import { Context, Effect, Layer, Schedule } from "effect"
import type { HttpClient } from "effect/http"
import { spawn } from "node:child_process"
import { closeSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { readLock } from "../../launch/ProcessLock.mjs"
import { Failure } from "../Failure.ts"
import { openLog, tail } from "../stack/LogFile.ts"
import { DEFAULT_PORT, logFileOf, Place, ROOT, typedFor } from "../stack/Place.ts"
import { freePort, isFree } from "@reelay/platform/embedded/FreePort"
import { obstacleOf } from "../stack/Readiness.ts"
import { runningStack } from "../stack/StackNote.ts"
import { clientOf, sayWhy, Unreachable } from "./Api.ts"
import type { ApiClient } from "./Api.ts"

const START_MILLIS = 90_000
/** Of a call that finds the api back and fails all the same. */
const TRIES = 20
const CALL_MILLIS = 15_000
/** Services come back within a second or two, and Postgres may have to recover: longer than that is no restart. */
const AWAY_MILLIS = 120_000
const LOOK_EVERY_MILLIS = 100
const RETRY_EVERY_MILLIS = 300

export interface CallOptions {
  /** How often it is tried when the api is there and it fails all the same. */
  readonly tries?: number
  /** Milliseconds for one try; null: as long as it takes. */
  readonly timeout?: number | null
}
export interface Connected {
  readonly api: ApiClient
  readonly url: string
}

const giveUp = ({ message }: Unreachable) => Effect.fail(new Failure({ code: "unavailable", message }))
const within = <A, E>(duration: number, effect: Effect.Effect<A, E>) =>
  Effect.timeoutOrElse(effect, {
    duration,
    orElse: () => Effect.fail(new Unreachable({ message: "the api takes too long" }))
  })
const stackIsOff = (place: Place["Service"]) =>
  new Failure({
    code: "not_running",
    message: `nothing runs on ${place.data}; \`${typedFor(place.data, "npm start")}\` starts it`
  })

/** The embedded stack of this data folder, as a client that does not mind restarts. */
export class Connection extends Context.Service<
  Connection,
  {
    /** Starts the stack when none runs (in the background, for as long as it is used) and waits until it is ready. */
    readonly open: Effect.Effect<{ readonly url: string; readonly started: boolean }, Failure>
    /** Calls the api; again and again while it can't be reached, which includes a supervisor that was killed. */
    call<A, E>(use: (connected: Connected) => Effect.Effect<A, E>, options?: CallOptions): Effect.Effect<A, Failure>
    /** One try, for commands that only look. Fails when nothing runs. */
    once<A, E>(use: (connected: Connected) => Effect.Effect<A, E>): Effect.Effect<A, Failure>
  }
>()("@reelay/cli/client/Connection") {
  static readonly layer = Layer.effect(
    Connection,
    Effect.gen(function* () {
      const place = yield* Place
      const context = yield* Effect.context<HttpClient.HttpClient>()

      /** A supervisor in a session of its own: it outlives this process and its terminal. */
      const startInBackground = Effect.gen(function* () {
        const port =
          place.port
          ?? ((yield* Effect.promise(() => isFree(DEFAULT_PORT))) ? DEFAULT_PORT : yield* Effect.promise(freePort))
        const log = yield* Effect.try({
          try: () => mkdirSync(place.logs, { recursive: true }),
          catch: (cause) => new Failure({ message: `the data folder ${place.data} cannot be used: ${String(cause)}` })
        }).pipe(Effect.andThen(openLog(logFileOf(place, "supervisor"))))
        const { REELAY_LAUNCHER: _, ...env } = process.env
        const child = spawn(process.execPath, [join(ROOT, "cli", "src", "main.ts"), "up", "--transient"], {
          cwd: ROOT,
          env: { ...env, REELAY_DATA: place.data, REELAY_PORT: String(port) },
          detached: true,
          stdio: ["ignore", log, log]
        })
        closeSync(log)
        child.unref()
        return () => child.exitCode === null && child.signalCode === null
      })

      /** The stack's URL once it serves. `starting` says whether somebody still works on that. */
      const whenReady = Effect.fnUntraced(function* (starting: () => boolean) {
        const begun = performance.now()
        let obstacle: string | null = "it is being started"
        while (performance.now() - begun < START_MILLIS) {
          const wasStarting = starting()
          const note = runningStack(place)
          if (note === null && !wasStarting) {
            return yield* new Failure({
              message: `Reelay does not start: ${tail(logFileOf(place, "supervisor"), 1) || "no word from it"}`
            })
          }
          if (note !== null && note.url !== null && !note.stopping) {
            obstacle = yield* obstacleOf(note.url)
            if (obstacle === null) return note.url
          }
          yield* Effect.sleep(LOOK_EVERY_MILLIS)
        }
        return yield* new Failure({ message: `Reelay is not ready after ${START_MILLIS / 1000} s: ${obstacle}` })
      })

      const open = Effect.gen(function* () {
        const note = runningStack(place)
        if (note !== null && !note.stopping) return { url: yield* whenReady(() => false), started: false }
        return { url: yield* whenReady(yield* startInBackground), started: true }
      })

      /** Where it serves right now. */
      const where = Effect.suspend((): Effect.Effect<string, Failure | Unreachable> => {
        const note = runningStack(place)
        if (note === null) return stackIsOff(place)
        return note.url === null ? new Unreachable({ message: "Reelay is being started" }) : Effect.succeed(note.url)
      })
      /** The same, and brings one back whose supervisor was killed; one that was stopped stays so. */
      const find = Effect.suspend(() =>
        runningStack(place) === null && readLock(place.lock) !== null ? Effect.map(open, ({ url }) => url) : where
      )

      const use = <A, E>(
        body: (connected: Connected) => Effect.Effect<A, E>,
        located: Effect.Effect<string, Failure | Unreachable> = find
      ) =>
        Effect.gen(function* () {
          const url = yield* located
          const api = yield* clientOf(url).pipe(Effect.provideContext(context), Effect.mapError(sayWhy))
          return yield* body({ api, url }).pipe(Effect.mapError(sayWhy))
        })

      /** After a call that found nobody: until the stack serves again. */
      const back = Effect.gen(function* () {
        const obstacle = yield* Effect.flatMap(find, obstacleOf)
        if (obstacle !== null) return yield* new Unreachable({ message: obstacle })
      }).pipe(
        Effect.retry({
          while: (error) => error._tag === "Unreachable",
          schedule: Schedule.spaced(LOOK_EVERY_MILLIS).pipe(Schedule.upTo({ duration: AWAY_MILLIS }))
        })
      )

      const persistent = <A, E>(
        body: (connected: Connected) => Effect.Effect<A, E>,
        tries: number
      ): Effect.Effect<A, Failure | Unreachable> =>
        use(body).pipe(
          Effect.catchTag("Unreachable", (error) =>
            tries <= 1
              ? Effect.fail(error)
              : Effect.sleep(RETRY_EVERY_MILLIS).pipe(Effect.andThen(back), Effect.andThen(persistent(body, tries - 1)))
          )
        )

      return Connection.of({
        open,
        call: (body, { timeout = CALL_MILLIS, tries = TRIES } = {}) =>
          persistent(
            (connected) => (timeout === null ? body(connected) : within(timeout, body(connected))),
            tries
          ).pipe(Effect.catchTag("Unreachable", giveUp)),
        once: (body) =>
          use((connected) => within(CALL_MILLIS, body(connected)), where).pipe(Effect.catchTag("Unreachable", giveUp))
      })
    })
  )
}
