import { Effect, Schedule, Scope } from "effect"
import { mkdir } from "node:fs/promises"
import { renoteLock, startOf, tryLock, unlock } from "../../launch/ProcessLock.mjs"
import { Failure } from "../Failure.ts"
import { startService } from "./Instance.ts"
import { keep } from "./Keeper.ts"
import type { KeepOptions } from "./Keeper.ts"
import { endLeftovers } from "./Leftovers.ts"
import { rotate } from "./LogFile.ts"
import { DEFAULT_PORT, logFileOf, Place } from "./Place.ts"
import { freePort, isFree } from "@reelay/platform/embedded/FreePort"
import { removeProcesses, writeProcesses } from "./ProcessList.ts"
import type { ListedProcess, ProcessRole } from "./ProcessList.ts"
import { secretsOf } from "./Secrets.ts"
import { noteOf } from "./StackNote.ts"
import type { NewNote, StackNote } from "./StackNote.ts"
import { natsServer, postgresServer } from "./Servers.ts"
import { environmentOf } from "./Services.ts"
import type { ServiceRole } from "./Services.ts"

export interface StackOptions {
  /** Hears, a line at a time, what a person at the terminal should know. */
  readonly tell: (line: string) => Effect.Effect<void>
  /** Started by a command for its own use: to be stopped when nobody uses it any more. */
  readonly transient: boolean
}

/** How long a service may take over SIGTERM. The encoder hands its tasks back within its own grace before that. */
const GRACE_MILLIS = { api: 2000, notifier: 2000, scheduler: 3000, encoder: 6000 } as const
const ROTATE_EVERY = "15 seconds"
const LOCK_LOOK_MILLIS = 100
const HOLDER_STAYS_MILLIS = 1000

const alreadyRuns = (holder: StackNote) =>
  new Failure({
    code: "already_running",
    message:
      holder.url === null
        ? `Reelay is already being started on this data folder (pid ${holder.pid})`
        : `Reelay already runs on this data folder: ${holder.url} (pid ${holder.pid}); \`npm stop\` ends it`
  })

/**
 * The data folder is ours alone until the scope ends. Another supervisor that is about to stop is waited for; one whose
 * terminal was just killed needs a moment to see that.
 */
export const holdFolder = Effect.fnUntraced(function* (place: Place["Service"], transient: boolean) {
  yield* Effect.tryPromise({
    try: () => mkdir(place.logs, { recursive: true }),
    catch: (cause) => new Failure({ message: `the data folder ${place.data} cannot be used: ${String(cause)}` })
  })
  const take = Effect.sync(() => tryLock(place.lock, { url: null, transient, stopping: false } satisfies NewNote))
  yield* Effect.acquireRelease(
    Effect.gen(function* () {
      for (let waited = 0; ; waited += LOCK_LOOK_MILLIS) {
        const holder = noteOf(yield* take)
        if (holder === null) return
        if (!holder.stopping && waited >= HOLDER_STAYS_MILLIS) return yield* alreadyRuns(holder)
        yield* Effect.sleep(LOCK_LOOK_MILLIS)
      }
    }),
    () => Effect.sync(() => unlock(place.lock)),
    { interruptible: true }
  )
})

const freeOrRefused = Effect.fnUntraced(function* (port: number) {
  if (yield* Effect.promise(() => isFree(port))) return
  return yield* new Failure({
    code: "port_in_use",
    message: `port ${port} is in use by another program; choose another one with REELAY_PORT`
  })
})

/**
 * The whole embedded stack, for as long as the scope lives: a real Postgres, a real nats-server and the four services as
 * processes of their own, each started again when it dies. Released in the opposite order: the api first, Postgres
 * last. Returns its URL as soon as everything is started, which is a moment before it serves (see Readiness).
 */
export const startStack = Effect.fn("Stack.start")(function* ({ tell, transient }: StackOptions) {
  const place = yield* Place
  yield* holdFolder(place, transient)
  const left = yield* endLeftovers(place)
  if (left > 0) yield* tell(`ended ${left} process${left === 1 ? "" : "es"} that an earlier run had left`)
  const port = place.port ?? DEFAULT_PORT
  yield* freeOrRefused(port)
  const { passwords } = yield* secretsOf(place)

  // An entry stays until its successor is there: the list names every role at any time.
  const running = new Map<ProcessRole, ListedProcess>()
  yield* Effect.addFinalizer(() => removeProcesses(place.processes))
  const keepAlive = (role: ProcessRole, start: KeepOptions["start"]) =>
    Effect.acquireRelease(
      keep({
        role,
        start,
        tell,
        onStart: ({ pid, port }) =>
          Effect.suspend(() => {
            running.set(role, { role, pid, port, start: startOf(pid) ?? "" })
            return writeProcesses(place.processes, [...running.values()])
          }).pipe(Effect.catch((error) => tell(error.message)))
      }),
      (keeper) => keeper.stop
    )

  const postgres = postgresServer({
    dataDirectory: place.postgres,
    logFile: logFileOf(place, "postgres"),
    // After a kill -9 Postgres brings its folder to the disk first: file by file 2.5 s, all at once 0.1 s.
    settings: process.platform === "linux" ? { recovery_init_sync_method: "syncfs" } : {},
    note: (line) => Effect.runSync(tell(line))
  })
  yield* keepAlive("postgres", postgres.start)
  const nats = natsServer({ dataDirectory: place.nats, passwords })
  yield* keepAlive("nats", nats.start)

  const notifierPort = yield* Effect.promise(freePort)
  const keepService = (role: ServiceRole, ownPort: number | null = null) =>
    keepAlive(role, () =>
      startService({
        name: role,
        environment: environmentOf(role, {
          place,
          port,
          notifierPort,
          databaseUrl: postgres.connection(),
          natsEnvironment: nats.connection(),
          inherited: process.env
        }),
        logFile: logFileOf(place, role),
        port: ownPort,
        graceMillis: GRACE_MILLIS[role]
      })
    )
  const behindTheApi = yield* Scope.fork(yield* Effect.scope, "parallel")
  yield* Effect.all([keepService("scheduler"), keepService("encoder"), keepService("notifier", notifierPort)]).pipe(
    Scope.provide(behindTheApi)
  )
  yield* keepService("api", port)

  const url = `http://127.0.0.1:${port}`
  const note = (stopping: boolean) =>
    Effect.sync(() => renoteLock(place.lock, { url, transient, stopping } satisfies NewNote))
  yield* Effect.acquireRelease(note(false), () => note(true))
  yield* Effect.forkScoped(
    Effect.forEach([...running.keys(), "supervisor"], (role) => rotate(logFileOf(place, role)), { discard: true }).pipe(
      Effect.repeat(Schedule.spaced(ROTATE_EVERY))
    )
  )
  return url
})
