import { join } from "node:path"
import { ROOT } from "./Place.ts"
import type { Place } from "./Place.ts"

/** What services must be told to find each other. Pure: the environment of each, brief and complete. */
export interface Wiring {
  readonly place: Place["Service"]
  /** Of the web page and the API. */
  readonly port: number
  readonly notifierPort: number
  readonly databaseUrl: string
  readonly natsEnvironment: (role: ServiceRole) => Readonly<Record<string, string>>
  /** The supervisor's own: what an operator set (REELAY_SLOTS, REELAY_FORCE_SOFTWARE …) reaches the services. */
  readonly inherited: Readonly<Record<string, string | undefined>>
}

export type ServiceRole = "api" | "scheduler" | "encoder" | "notifier"

/** The mark by which a later start finds processes whose supervisor died before it could note them. */
export const STACK_MARK = "REELAY_STACK"

/** Set by whoever started us, for us alone. */
const OURS = new Set(["REELAY_LAUNCHER", "NODE_OPTIONS", "NODE_V8_COVERAGE", "INIT_CWD"])

/** An encoder that is told to stop hands its tasks back after this; the next start takes them up where they were. */
const GRACE_SECONDS = "2"

const inheritedBy = (inherited: Wiring["inherited"]): Record<string, string> => {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined || OURS.has(name) || name.startsWith("npm_") || name.startsWith("VITEST")) continue
    kept[name] = value
  }
  return kept
}

/** The api listens at the port that was said, so the notifier of the same machine takes the next. */
const metricsBeside = (port: string | undefined): Record<string, string> =>
  port === undefined ? {} : { REELAY_METRICS_PORT: String(Number(port) + 1) }

export const environmentOf = (role: ServiceRole, wiring: Wiring): Record<string, string> => {
  const { place } = wiring
  const database = { DATABASE_URL: wiring.databaseUrl, DATABASE_DIRECT_URL: wiring.databaseUrl }
  const store = { REELAY_STORE: place.store }
  const auth = {
    REELAY_AUTH: wiring.inherited["REELAY_AUTH"] ?? "local",
    REELAY_SECRET_FILE: place.secretFile
  }
  const own = (): Record<string, string> => {
    switch (role) {
      case "api":
        return {
          ...database,
          ...store,
          ...auth,
          REELAY_HOST: wiring.inherited["REELAY_HOST"] ?? "127.0.0.1",
          REELAY_PORT: String(wiring.port),
          REELAY_WEB: join(ROOT, "web", "dist"),
          REELAY_NOTIFIER_URL: `ws://127.0.0.1:${wiring.notifierPort}`
        }
      case "notifier":
        return {
          ...database,
          ...auth,
          REELAY_NOTIFIER_HOST: "127.0.0.1",
          REELAY_NOTIFIER_PORT: String(wiring.notifierPort),
          ...metricsBeside(wiring.inherited["REELAY_METRICS_PORT"])
        }
      case "scheduler":
        return { ...database, ...store }
      case "encoder":
        return { ...store, REELAY_GRACE_SECONDS: wiring.inherited["REELAY_GRACE_SECONDS"] ?? GRACE_SECONDS }
    }
  }
  const base = inheritedBy(wiring.inherited)
  // An encoder has no business with the database or with tokens: it gets no secrets, whatever the shell had.
  delete base["DATABASE_URL"]
  delete base["DATABASE_DIRECT_URL"]
  if (role === "encoder") delete base["REELAY_JWT_SECRET"]
  return {
    ...base,
    ...wiring.natsEnvironment(role),
    ...own(),
    [STACK_MARK]: place.data,
    NODE_COMPILE_CACHE: join(ROOT, ".reelay", "toolchain", "compile-cache")
  }
}
