import { Schema } from "effect"

/**
 * Why a statement had no effect that can be relied on.
 * - `unavailable`: Postgres is away, too busy or too slow; the same statement may be tried again. (After a time-out or
 *   a lost connection it may even have happened: statements are written so that doing them twice does no harm.)
 * - `conflict`: a constraint or a trigger refused it; `constraint` says which.
 * - `unexpected`: our mistake.
 */
export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  /** The name that the caller gave its query. */
  query: Schema.String,
  reason: Schema.Literals(["unavailable", "conflict", "unexpected"]),
  constraint: Schema.NullOr(Schema.String),
  cause: Schema.Defect()
}) {
  override get message(): string {
    const why = this.cause instanceof Error ? `: ${rootOf(this.cause).message}` : ""
    return `${this.query}: ${this.reason}${this.constraint === null ? "" : ` (${this.constraint})`}${why}`
  }
  /**
   * Whether nobody was there: no connection to be had, or one that ended. Then whoever else asks hears the same. Else
   * Postgres is there and judged this statement, be it that it gave it up (its time-out, a deadlock, want of memory).
   */
  get isAway(): boolean {
    if (this.reason !== "unavailable") return false
    const code = this.cause instanceof Error ? property(rootOf(this.cause), "code") : null
    return code === null || UNREACHABLE.has(code) || hasNoSession(code)
  }
}

const UNREACHABLE = new Set([
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT"
])

/**
 * SQLSTATE classes (and codes) that pass: 08 connection, 53 resources, 57 operator intervention and time-outs,
 * 58 system; 40 serialisation and deadlock, 55P03 lock wait, 25006 a standby after a failover.
 */
const passes = (state: string): boolean =>
  ["08", "40", "53", "57", "58"].includes(state.slice(0, 2)) || state === "55P03" || state === "25006"

/** Of those, the ones by which a session ends or does not begin: 57P… but not 57014 (cancelled), too many connections. */
const hasNoSession = (state: string): boolean => state.startsWith("08") || state.startsWith("57P") || state === "53300"

/** drizzle wraps what the driver threw. */
const rootOf = (error: Error): Error => (error.cause instanceof Error ? rootOf(error.cause) : error)

const property = (error: Error, name: string): string | null => {
  const value: unknown = Reflect.get(error, name)
  return typeof value === "string" ? value : null
}

const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code) && !UNREACHABLE.has(code)

/** What the driver or drizzle threw, told apart. */
export const databaseError = (query: string, cause: unknown): DatabaseError => {
  if (!(cause instanceof Error)) return new DatabaseError({ query, reason: "unexpected", constraint: null, cause })
  const root = rootOf(cause)
  const code = property(root, "code")
  const constraint = property(root, "constraint_name")
  const reason =
    code === null
      ? "unexpected"
      : UNREACHABLE.has(code)
        ? "unavailable"
        : isSqlState(code) && code.startsWith("23")
          ? "conflict"
          : isSqlState(code) && passes(code)
            ? "unavailable"
            : "unexpected"
  return new DatabaseError({ query, reason, constraint: reason === "conflict" ? constraint : null, cause })
}
