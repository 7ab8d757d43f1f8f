import type { Role } from "@reelay/contracts/messages/Topology"
import { Effect, Schedule, Schema } from "effect"
import { execa } from "execa"
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createConnection } from "node:net"
import { join, resolve } from "node:path"
import { LOGS_KEPT, natsConfigText } from "../NatsConfig.ts"
import { freePort } from "./FreePort.ts"

/** A real nats-server as a child process: for the embedded stack's supervisor and for tests. */
export class NatsServerError extends Schema.TaggedError<NatsServerError>()("NatsServerError", {
  reason: Schema.Literals(["missing", "start", "timeout"]),
  detail: Schema.String
}) {}

export interface NatsOptions {
  /** Configuration and streams live here. */
  readonly dataDirectory: string
  /** 0: a free one is picked. */
  readonly port: number
  readonly passwords: Readonly<Record<Role, string>>
  /** See NatsConfig. */
  readonly sync?: "always" | "default"
  /** The executable; `nats-server` on the PATH unless given. */
  readonly command?: string
  /** Outlives its parent and hears no Ctrl-C: for a supervisor that decides itself what ends when. */
  readonly detached?: boolean
}

export interface NatsServer {
  readonly pid: number
  readonly port: number
  readonly url: string
  readonly version: string
  /** The environment with which a service of that role finds and enters it. */
  readonly environment: (role: Role) => Readonly<Record<string, string>>
  /** Resolves when the process has ended, by whoever's hand. */
  readonly exited: Effect.Effect<{ readonly code: number | null; readonly signal: string | null }>
  /** SIGTERM, then SIGKILL after `graceMillis`. Returns when it is gone. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL. Returns when it is gone. */
  readonly kill: Effect.Effect<void>
}

const START_TIMEOUT_MILLIS = 10_000
const STOP_GRACE_MILLIS = 5000
/** A port picked a moment ago may be taken by somebody else since. */
const START_ATTEMPTS = 3

const aPort = Effect.tryPromise({
  try: freePort,
  catch: (cause) => new NatsServerError({ reason: "start", detail: String(cause) })
})

/** What `nats-server --version` says: `2.9.10`. */
export const natsVersion = Effect.fn("Nats.version")(function* (command: string = "nats-server") {
  const { stdout } = yield* Effect.tryPromise({
    try: () => execa(command, ["--version"]),
    catch: (cause) => new NatsServerError({ reason: "missing", detail: `${command}: ${String(cause)}` })
  })
  const version = /(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
  return version ?? (yield* new NatsServerError({ reason: "missing", detail: `unknown version: ${stdout}` }))
})

/** Whether a server greets on that port: it does so before it wants to know who is there. */
const greets = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = createConnection({ host: "127.0.0.1", port })
    const done = (answer: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answer))
    }
    socket.setTimeout(1000, () => done(false))
    socket.once("error", () => done(false))
    socket.once("data", (bytes) => done(bytes.toString("latin1").startsWith("INFO ")))
    return Effect.sync(() => socket.destroy())
  })

/** A server that ended at once says why when asked to check its configuration, or has said it in its log. */
const whyNot = (command: string, file: string, logFile: string) =>
  Effect.promise(async () => {
    const check = await execa(command, ["-c", file, "-t"], { reject: false, all: true, stdin: "ignore" })
    return check.exitCode === 0 ? (await readFile(logFile, "utf8").catch(() => "")).slice(-2000) : check.all
  })

/** Logs that the server put aside, named by the time when it did, beyond those that are kept: old servers remove none. */
const removeOldLogs = async (directory: string): Promise<void> => {
  const names = (await readdir(directory)).filter((name) => name.startsWith("nats-server.log.")).toSorted()
  for (const name of names.slice(0, -LOGS_KEPT)) await rm(join(directory, name), { force: true })
}

const launch = Effect.fnUntraced(function* (options: NatsOptions, version: string, port: number) {
  const command = options.command ?? "nats-server"
  const directory = resolve(options.dataDirectory)
  const file = join(directory, "nats-server.conf")
  const logFile = join(directory, "nats-server.log")
  const config = natsConfigText({
    version,
    port,
    storeDirectory: join(directory, "store"),
    logFile,
    passwords: options.passwords,
    ...(options.sync === undefined ? {} : { sync: options.sync })
  })
  yield* Effect.tryPromise({
    try: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeFile(file, config, { mode: 0o600 })
      // `mode` counts for a new file only.
      await chmod(file, 0o600)
      await removeOldLogs(directory)
    },
    catch: (cause) => new NatsServerError({ reason: "start", detail: String(cause) })
  })
  const detached = options.detached ?? false
  const child = execa(command, ["-c", file], {
    // No pipes: a server whose parent was killed must not die of its next log line. It logs into its own file.
    stdio: "ignore",
    cleanup: !detached,
    detached,
    reject: false
  })
  const ended = child.then((result) => ({ code: result.exitCode ?? null, signal: result.signal ?? null }))
  const pid = child.pid
  if (pid === undefined) {
    return yield* new NatsServerError({ reason: "missing", detail: `${command} does not start` })
  }
  const exited = Effect.promise(() => ended)
  const kill = Effect.sync(() => child.kill("SIGKILL")).pipe(Effect.andThen(exited), Effect.asVoid)
  const stop = Effect.sync(() => child.kill("SIGTERM")).pipe(
    Effect.andThen(exited),
    Effect.timeoutOrElse({ duration: STOP_GRACE_MILLIS, orElse: () => kill }),
    Effect.asVoid
  )
  const ready = greets(port).pipe(
    Effect.repeat({ schedule: Schedule.spaced(20), until: (answer) => answer }),
    Effect.timeoutOrElse({
      duration: START_TIMEOUT_MILLIS,
      orElse: () => Effect.fail(new NatsServerError({ reason: "timeout", detail: `no answer on port ${port}` }))
    })
  )
  const died = exited.pipe(
    Effect.andThen(whyNot(command, file, logFile)),
    Effect.flatMap((detail) => Effect.fail(new NatsServerError({ reason: "start", detail })))
  )
  yield* Effect.raceFirst(ready, died).pipe(Effect.onError(() => kill))
  const url = `nats://127.0.0.1:${port}`
  const server: NatsServer = {
    pid,
    port,
    url,
    version,
    environment: (role) => ({
      REELAY_NATS_URL: url,
      REELAY_NATS_USER: role,
      REELAY_NATS_PASSWORD: options.passwords[role]
    }),
    exited,
    stop,
    kill
  }
  return server
})

/** Starts a server and returns when it accepts connections. It runs until it is stopped: no scope ends it. */
export const startNats = Effect.fn("Nats.start")(function* (options: NatsOptions) {
  const version = yield* natsVersion(options.command)
  if (options.port !== 0) return yield* launch(options, version, options.port)
  return yield* aPort.pipe(
    Effect.flatMap((port) => launch(options, version, port)),
    Effect.retry({ times: START_ATTEMPTS - 1, while: (error) => error.reason === "start" })
  )
})
