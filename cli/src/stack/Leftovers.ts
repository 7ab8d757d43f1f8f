import { stopPostgres } from "@reelay/platform/embedded/Postgres"
import { Effect, Schedule } from "effect"
import { readdir, readFile, rm } from "node:fs/promises"
import { runs, startOf } from "../../launch/ProcessLock.mjs"
import type { ProcessIdentity } from "../../launch/ProcessLock.mjs"
import { Failure } from "../Failure.ts"
import { readProcesses, removeProcesses } from "./ProcessList.ts"
import type { Place } from "./Place.ts"
import { STACK_MARK } from "./Services.ts"

const GRACE_MILLIS = 3000

const signal = (pid: number, name: NodeJS.Signals) =>
  Effect.sync(() => {
    try {
      process.kill(pid, name)
    } catch {
      // Gone meanwhile, which is what we want.
    }
  })

const gone = (identity: ProcessIdentity) =>
  Effect.sync(() => !runs(identity)).pipe(
    Effect.repeat({ schedule: Schedule.spaced(20), until: (isGone) => isGone }),
    Effect.asVoid
  )

/** SIGTERM, and SIGKILL for one that does not listen. */
export const endProcess = (identity: ProcessIdentity, graceMillis: number = GRACE_MILLIS) =>
  signal(identity.pid, "SIGTERM").pipe(
    Effect.andThen(gone(identity)),
    Effect.timeoutOrElse({
      duration: graceMillis,
      orElse: () => signal(identity.pid, "SIGKILL").pipe(Effect.andThen(gone(identity)))
    })
  )

/**
 * Processes that carry this data folder's mark: those whose supervisor died before it wrote them down, and what a
 * service left behind (ffmpeg). Linux only; elsewhere the list of the last supervisor is all we have.
 */
const marked = async (data: string): Promise<ReadonlyArray<ProcessIdentity>> => {
  const mark = `${STACK_MARK}=${data}`
  const found: Array<ProcessIdentity> = []
  for (const name of await readdir("/proc").catch(() => [])) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const environment = await readFile(`/proc/${name}/environ`, "utf8").catch(() => "")
    const start = environment.split("\0").includes(mark) ? startOf(pid) : null
    if (start !== null) found.push({ pid, start })
  }
  return found
}

/**
 * Ends what a killed supervisor left running, Postgres last and in order. The caller holds the folder's lock, so that
 * nothing of this is anybody's. Returns how many processes there were.
 */
export const endLeftovers = Effect.fn("Leftovers.end")(function* (place: Place["Service"]) {
  const listed = yield* readProcesses(place.processes)
  const alive = listed.flatMap(({ pid, role, start }) =>
    start !== undefined && role !== "postgres" && runs({ pid, start }) ? [{ pid, role, start }] : []
  )
  const postgres = listed.filter(
    ({ pid, role, start }) => role === "postgres" && start !== undefined && runs({ pid, start })
  )
  const services = alive.filter(({ role }) => role !== "nats")
  yield* Effect.forEach(services, (each) => endProcess(each), { concurrency: "unbounded", discard: true })
  const unlisted = yield* Effect.promise(() => marked(place.data))
  yield* Effect.forEach(unlisted, (each) => endProcess(each), { concurrency: "unbounded", discard: true })
  yield* Effect.forEach(
    alive.filter(({ role }) => role === "nats"),
    (each) => endProcess(each),
    { discard: true }
  )
  yield* stopPostgres(place.postgres).pipe(Effect.mapError((error) => new Failure({ message: error.message })))
  yield* removeProcesses(place.processes)
  yield* Effect.promise(() => rm(place.clients, { recursive: true, force: true }))
  return alive.length + unlisted.length + postgres.length
})
