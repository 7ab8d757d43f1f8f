import { permissionsOf, ROLES } from "@reelay/contracts/messages/Topology"
import type { Role } from "@reelay/contracts/messages/Topology"

/**
 * The text of a nats-server's configuration. Pure. What it says depends on the server's version, because old servers
 * refuse to start on settings they don't know.
 */
export interface NatsConfig {
  /** As `nats-server --version` says it: `2.9.10`. */
  readonly version: string
  /** Loopback unless told otherwise. */
  readonly host?: string
  readonly port: number
  readonly storeDirectory: string
  /** Absent: it logs to stderr. */
  readonly logFile?: string
  /** When acknowledged messages are on the disk: `always` unless told otherwise, as far as the server can. */
  readonly sync?: "always" | "default"
  readonly passwords: Readonly<Record<Role, string>>
}

/** A message is at most this; a client that sends more loses its connection. Bytes. */
export const MAX_PAYLOAD = 1_048_576

/** Bytes at which the log file is put aside, and how many of those put aside are kept. */
const LOG_BYTES = 8_388_608
export const LOGS_KEPT = 2

const isSince = (version: string, since: readonly [major: number, minor: number]): boolean => {
  const [major = 0, minor = 0] = version
    .replace(/^v/, "")
    .split(".")
    .map((part) => Number.parseInt(part, 10))
  return major > since[0] || (major === since[0] && minor >= since[1])
}

/** Whether the server can be told to have every acknowledged message on the disk (the default is every two minutes). */
export const canSyncAlways = (version: string): boolean => isSince(version, [2, 12])
/** Whether it removes the logs that it put aside; where not, they are removed at the next start. */
const removesLogs = (version: string): boolean => isSince(version, [2, 10])

const logOf = (file: string, version: string): ReadonlyArray<string> => [
  `log_file: ${text(file)}`,
  `logfile_size_limit: ${LOG_BYTES}`,
  ...(removesLogs(version) ? [`logfile_max_num: ${LOGS_KEPT}`] : [])
]

/** JSON strings are strings of the configuration's language as well. */
const text = (value: string): string => JSON.stringify(value)
const list = (subjects: ReadonlyArray<string>): string => `[${subjects.map(text).join(", ")}]`

const userOf = (role: Role, password: string): string => {
  const { publish, subscribe } = permissionsOf(role)
  return [
    "    {",
    `      user: ${text(role)}`,
    `      password: ${text(password)}`,
    "      permissions: {",
    `        publish: { allow: ${list(publish)} }`,
    `        subscribe: { allow: ${list(subscribe)} }`,
    "      }",
    "    }"
  ].join("\n")
}

export const natsConfigText = (config: NatsConfig): string =>
  [
    `host: ${text(config.host ?? "127.0.0.1")}`,
    `port: ${config.port}`,
    `max_payload: ${MAX_PAYLOAD}`,
    ...(config.logFile === undefined ? [] : logOf(config.logFile, config.version)),
    "jetstream: {",
    `  store_dir: ${text(config.storeDirectory)}`,
    ...(config.sync !== "default" && canSyncAlways(config.version) ? ["  sync_interval: always"] : []),
    "}",
    "authorization: {",
    "  users: [",
    ROLES.map((role) => userOf(role, config.passwords[role])).join("\n"),
    "  ]",
    "}",
    ""
  ].join("\n")
