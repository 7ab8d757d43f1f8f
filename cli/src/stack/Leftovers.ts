import { stopPostgres } from "@reelay/platform/embedded/Postgres"
import { Effect, Schedule } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
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
 * Processes that are this data folder's by their own account: those whose supervisor died before it wrote them down, and
 * what a service left behind (ffmpeg). Linux only; elsewhere the list of the last supervisor is all we have.
 */
const unlisted = async (place: Place["Service"]): Promise<ReadonlyArray<ProcessIdentity>> => {
  const mark = `${STACK_MARK}=${place.data}`
  // A nats-server has no mark; the file that it was started with is ours alone.
  const natsConfig = join(place.nats, "nats-server.conf")
  const words = async (path: string) => (await readFile(path, "utf8").catch(() => "")).split("\0")
  const found: Array<ProcessIdentity> = []
  for (const name of await readdir("/proc").catch(() => [])) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const ours =
      (await words(`/proc/${name}/environ`)).includes(mark)
      || (await words(`/proc/${name}/cmdline`)).includes(natsConfig)
    const start = ours ? startOf(pid) : null
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
  const others = (yield* Effect.promise(() => unlisted(place))).filter(
    ({ pid }) => !alive.some((each) => each.pid === pid)
  )
  yield* Effect.forEach(others, (each) => endProcess(each), { concurrency: "unbounded", discard: true })
  yield* Effect.forEach(
    alive.filter(({ role }) => role === "nats"),
    (each) => endProcess(each),
    { discard: true }
  )
  yield* stopPostgres(place.postgres).pipe(Effect.mapError((error) => new Failure({ message: error.message })))
  yield* removeProcesses(place.processes)
  return alive.length + others.length + postgres.length
})
