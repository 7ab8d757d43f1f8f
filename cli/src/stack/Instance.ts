import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import { closeSync } from "node:fs"
import { Failure } from "../Failure.ts"
import { openLog } from "./LogFile.ts"
import { ROOT } from "./Place.ts"

/** One running process of the stack, however it was started. */
export interface Instance {
  readonly pid: number
  readonly port: number | null
  /** When it has ended, and how: "exit code 1", "SIGKILL". */
  readonly exited: Effect.Effect<string>
  /** Asks it to stop, forces it when it takes too long. Returns when it is gone. */
  readonly stop: Effect.Effect<void>
}

export const endingOf = (code: number | null, signal: string | null): string => signal ?? `exit code ${code}`

export interface ServiceStart {
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  readonly logFile: string
  readonly port: number | null
  /** How long SIGTERM may take before SIGKILL. */
  readonly graceMillis: number
}

/**
 * A service as a process in a session of its own: Ctrl-C in the terminal is the supervisor's to hear, and what it
 * writes goes straight into its log file, so that neither the supervisor's death nor its slowness reaches it.
 */
export const startService = Effect.fn("Instance.startService")(function* (start: ServiceStart) {
  const log = yield* openLog(start.logFile)
  const exited = yield* Deferred.make<string>()
  const child = spawn(process.execPath, [`services/${start.name}/src/main.ts`], {
    cwd: ROOT,
    env: start.environment,
    detached: true,
    stdio: ["ignore", log, log]
  })
  closeSync(log)
  child.once("exit", (code, signal) => Deferred.doneUnsafe(exited, Effect.succeed(endingOf(code, signal))))
  const { pid } = child
  if (pid === undefined) {
    const cause = yield* Effect.callback<Error>((resume) => {
      child.once("error", (error) => resume(Effect.succeed(error)))
    })
    return yield* new Failure({ message: `${start.name} does not start: ${cause.message}` })
  }
  const ended = Deferred.await(exited)
  const stop = Effect.sync(() => child.kill("SIGTERM")).pipe(
    Effect.andThen(ended),
    Effect.timeoutOrElse({
      duration: start.graceMillis,
      orElse: () => Effect.sync(() => child.kill("SIGKILL")).pipe(Effect.andThen(ended))
    }),
    Effect.asVoid
  )
  return { pid, port: start.port, exited: ended, stop } satisfies Instance
})
