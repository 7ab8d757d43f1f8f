import { Effect, Schema } from "effect"
import { readFile, rename, rm, writeFile } from "node:fs/promises"
import { Failure } from "../Failure.ts"

export const ProcessRole = Schema.Literals(["api", "scheduler", "encoder", "notifier", "nats", "postgres"])
export type ProcessRole = typeof ProcessRole.Type

/** `start` makes the pid unmistakable (see ProcessLock): a number is somebody else's sooner or later. */
export const ListedProcess = Schema.Struct({
  role: ProcessRole,
  pid: Schema.Int,
  port: Schema.NullOr(Schema.Int),
  start: Schema.optionalKey(Schema.String)
})
export type ListedProcess = typeof ListedProcess.Type

const Listing = Schema.fromJsonString(Schema.Array(ListedProcess))
const decode = Schema.decodeUnknownEffect(Listing)

/** What the last supervisor wrote; nothing when there is no such file, or half of one. */
export const readProcesses = (path: string): Effect.Effect<ReadonlyArray<ListedProcess>> =>
  Effect.tryPromise(() => readFile(path, "utf8")).pipe(
    Effect.flatMap(decode),
    Effect.orElseSucceed(() => [])
  )

/** Whole or not at all. */
export const writeProcesses = (path: string, processes: ReadonlyArray<ListedProcess>) =>
  Effect.tryPromise({
    try: async () => {
      const fresh = `${path}.${process.pid}`
      await writeFile(fresh, `[\n${processes.map((each) => `  ${JSON.stringify(each)}`).join(",\n")}\n]\n`)
      await rename(fresh, path)
    },
    catch: (cause) => new Failure({ message: `cannot write ${path}: ${String(cause)}` })
  })

export const removeProcesses = (path: string) => Effect.promise(() => rm(path, { force: true }))
