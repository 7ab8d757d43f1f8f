import { Effect, Schema } from "effect"
import { execa } from "execa"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { randomBytes } from "node:crypto"
import {
  chown,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile
} from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import postgres from "postgres"
import { freePort } from "./FreePort.ts"
import { closedFolder, postgresAccount, postgresPrograms, sharedFolder } from "./PostgresPrograms.ts"
import type { Account } from "./PostgresPrograms.ts"

/**
 * A real PostgreSQL as a child process: for the embedded stack's supervisor and for tests. Loopback TCP with a
 * password, no Unix socket (two stacks do not meet), a session of its own (Ctrl-C reaches the supervisor only, which
 * stops it last). It outlives a parent that is killed; the next start on the same data stops it first.
 */
export class PostgresServerError extends Schema.TaggedError<PostgresServerError>()("PostgresServerError", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.detail
  }
}

export interface PostgresOptions {
  /** Made when missing. Password and data are in it. */
  readonly dataDirectory: string
  /** 0: a free one is picked. */
  readonly port: number
  /** Made when missing; `reelay` unless given. */
  readonly database?: string
  /** False for tests: no fsync. What is committed still survives kill -9, but not the machine's end. */
  readonly durable?: boolean
  /** Further settings, as `postgres -c` takes them. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the server's own log is appended; `<dataDirectory>.log` unless given. */
  readonly logFile?: string
  /** Hears when something is arranged that a person may wonder about. */
  readonly note?: (line: string) => void
}

export interface PostgresServer {
  readonly pid: number
  readonly port: number
  /** Of the database, as superuser: for DATABASE_URL. */
  readonly url: string
  /** Completes when the process has ended, by whoever's hand. */
  readonly exited: Effect.Effect<void>
  /** Ends all sessions and shuts down cleanly; by force after five seconds. Returns when it is gone. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL. Returns when it is gone. */
  readonly kill: Effect.Effect<void>
}

const SUPERUSER = "reelay"
const PASSWORD_FILE = "reelay.password"
const RETRIES_MILLIS = 15_000
const ENVIRONMENT = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false
  )

/** What postmaster.pid says: 1 pid, 4 port, 8 status. */
const postmaster = async (dataDir: string) => {
  const lines = (await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "")).split("\n")
  const pid = Number(lines[0])
  return pid > 0 ? { pid, ready: lines[7]?.trim() === "ready" } : null
}

/** Whether the process is a server on this data: after a crash the number may be anybody's. */
const serves = async (pid: number, dataDir: string): Promise<boolean> => {
  const command =
    process.platform === "linux"
      ? await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
      : (await execa("ps", ["-o", "command=", "-p", String(pid)], { reject: false })).stdout
  return command.includes("postgres") && command.split(/[\0 ]/).includes(dataDir)
}

const end = async (pid: number, gone: () => Promise<boolean>) => {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    try {
      process.kill(pid, signal)
    } catch {
      return
    }
    for (const until = performance.now() + 5000; performance.now() < until;) {
      if (await gone()) return
      await sleep(10)
    }
  }
}

const stopRunning = async (dataDir: string): Promise<void> => {
  const real = await placeOf(dataDir)
  const running = await postmaster(real)
  if (running === null) return
  if (await serves(running.pid, real)) await end(running.pid, async () => !(await serves(running.pid, real)))
  // Postgres itself would take another process of that number for its own.
  else await rm(join(real, "postmaster.pid"), { force: true })
}

/** The data's real place: `dataDir` is a link where the other account could not have reached it. */
const placeOf = async (dataDir: string): Promise<string> => {
  const linked = await readlink(dataDir).catch(() => null)
  return linked === null ? resolve(dataDir) : resolve(dirname(dataDir), linked)
}

/** Makes the data folder, whole or not at all. */
const initialise = async (programs: string, place: string, account: Account | null, durable: boolean) => {
  // What a start that was killed had begun; nobody else starts on this data now.
  const folder = dirname(place)
  const begun = (await readdir(folder)).filter((name) => name.startsWith(`${basename(place)}.making-`))
  for (const name of begun) await rm(join(folder, name), { recursive: true, force: true })
  const making = await mkdtemp(`${place}.making-`)
  const secrets = await mkdtemp(join(tmpdir(), "reelay-initdb-"))
  try {
    const passwordFile = join(secrets, "password")
    const password = randomBytes(24).toString("base64url")
    await writeFile(passwordFile, password, { mode: 0o600 })
    if (account !== null) {
      for (const path of [making, secrets, passwordFile]) await chown(path, account.uid, account.gid)
    }
    await execa(
      join(programs, "bin", "initdb"),
      [
        `--pgdata=${making}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        ...(durable ? [] : ["--no-sync"])
      ],
      { ...account, cwd: "/", env: ENVIRONMENT, extendEnv: false }
    )
    // Beside the data, so that neither is ever there without the other.
    await rename(passwordFile, join(making, PASSWORD_FILE)).catch(() =>
      writeFile(join(making, PASSWORD_FILE), password, { mode: 0o600 })
    )
    await rename(making, place)
  } finally {
    await rm(making, { recursive: true, force: true })
    await rm(secrets, { recursive: true, force: true })
  }
}

/** A folder for the data that `account` can reach; `dataDir` becomes a link to it when it cannot be there itself. */
const prepare = async (dataDir: string, account: Account | null, note: (line: string) => void): Promise<string> => {
  await mkdir(dirname(dataDir), { recursive: true })
  const linked = await lstat(dataDir).then(
    (found) => found.isSymbolicLink(),
    () => false
  )
  if (linked) return placeOf(dataDir)
  const closed = account === null ? null : await closedFolder(dirname(dataDir), account)
  if (closed === null) return resolve(dataDir)
  const place = join(sharedFolder, `data-${randomBytes(8).toString("hex")}`)
  await mkdir(sharedFolder, { recursive: true, mode: 0o755 })
  await symlink(place, dataDir)
  note(`${closed} is closed to the user that must run Postgres: its data lies in ${place}, linked from ${dataDir}`)
  return place
}

const settingsOf = (options: PostgresOptions, port: number): Readonly<Record<string, string>> => ({
  listen_addresses: "127.0.0.1",
  port: String(port),
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "64MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "256MB",
  jit: "off",
  log_checkpoints: "off",
  log_min_messages: "warning",
  log_line_prefix: "%m [%p] ",
  ...(options.durable === false ? { fsync: "off" } : {}),
  ...options.settings
})

const launch = async (
  programs: string,
  place: string,
  account: Account | null,
  logFile: string,
  settings: Readonly<Record<string, string>>
) => {
  const log = await open(logFile, "a", 0o600)
  const logged = (await log.stat()).size
  const child = spawn(
    join(programs, "bin", "postgres"),
    ["-D", place, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    { ...account, cwd: "/", env: ENVIRONMENT, detached: true, stdio: ["ignore", log.fd, log.fd] }
  )
  const exited = new Promise<void>((done) => {
    child.once("exit", () => done())
    child.once("error", () => done())
  })
  await log.close()
  const said = async () => (await readFile(logFile)).subarray(logged).toString().trim()
  return { child, exited, said }
}

const running = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

const createDatabase = async (url: string, name: string) => {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    const [found] = await client`select from pg_database where datname = ${name}`
    if (found === undefined) await client`create database ${client(name)}`
  } finally {
    await client.end()
  }
}

const start = async (options: PostgresOptions): Promise<PostgresServer> => {
  const account = await postgresAccount()
  const note = options.note ?? (() => {})
  const programs = await postgresPrograms(account, note)
  const place = await prepare(resolve(options.dataDirectory), account, note)
  await stopRunning(place)
  if (!(await exists(join(place, "PG_VERSION")))) await initialise(programs, place, account, options.durable !== false)

  const logFile = options.logFile ?? `${resolve(options.dataDirectory)}.log`
  for (const begun = performance.now(); ;) {
    const port = options.port === 0 ? await freePort() : options.port
    const { child, exited, said } = await launch(programs, place, account, logFile, settingsOf(options, port))
    const { pid } = child
    while (running(child) && pid !== undefined) {
      const state = await postmaster(place)
      if (state?.pid === pid && state.ready) {
        const password = await readFile(join(place, PASSWORD_FILE), "utf8")
        const urlOf = (database: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`
        const database = options.database ?? "reelay"
        await createDatabase(urlOf("postgres"), database)
        return {
          pid,
          port,
          url: urlOf(database),
          exited: Effect.promise(() => exited),
          stop: Effect.promise(() => end(pid, async () => !running(child))),
          kill: Effect.promise(async () => {
            child.kill("SIGKILL")
            await exited
          })
        }
      }
      await Promise.race([sleep(10), exited])
    }
    const words = await said()
    // Children of a killed server hold its memory for a moment; another process may have taken the free port.
    const passes =
      /shared memory block|postmaster\.pid.* already exists/.test(words)
      || (options.port === 0 && /could not bind|could not create any TCP/.test(words))
    if (!passes || performance.now() - begun > RETRIES_MILLIS) {
      throw new Error(`Postgres ended while starting (port ${port}): ${words}`)
    }
    await sleep(100)
  }
}

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new PostgresServerError({ detail: cause instanceof Error ? cause.message : String(cause), cause })
  })

/** Starts a server and returns when it accepts connections (recovery after a crash may take its time). No scope ends it. */
export const startPostgres = Effect.fn("Postgres.start")((options: PostgresOptions) => attempt(() => start(options)))

/** Stops the server that runs on this data, whoever started it. Does nothing when none does. */
export const stopPostgres = Effect.fn("Postgres.stop")((dataDirectory: string) =>
  attempt(() => stopRunning(dataDirectory))
)
