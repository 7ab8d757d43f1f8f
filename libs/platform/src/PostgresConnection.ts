import { Deferred, Effect } from "effect"
import postgres from "postgres"

/**
 * One connection to Postgres, from its making to its end and no further. postgres.js 3.4 reuses a connection object
 * after its connection has ended, and that is where its faults lie: a statement that is sent then (the driver's own
 * ROLLBACK, too) throws out of a timer and ends the process, runs outside its transaction, or fails with the error of
 * the session before (porsager/postgres #1208, #1133, #1216). So here a client has one connection, everything sent after
 * its end is refused, transactions are ours, and whoever wants another connection makes another client.
 */
export interface PostgresConnection {
  readonly sql: postgres.Sql
  readonly isClosed: () => boolean
  /** Completes when the connection ends, by either side. */
  readonly closed: Effect.Effect<void>
  /** At once, whatever runs on it. */
  readonly close: Effect.Effect<void>
}

/** Settings that the server takes at the start of a session, in its own units. */
export type SessionSettings = Readonly<Record<string, string | number>>

/** Seconds. */
const CONNECT_TIMEOUT = 3
/** Statements that a connection keeps prepared. Each costs the server some memory for as long as the connection lives. */
const PREPARED = 250

class ConnectionClosed extends Error {
  readonly code = "CONNECTION_CLOSED"
  constructor() {
    super("the connection to Postgres has ended")
  }
}

/** Connects with the first statement; that one fails when it cannot. */
export const makeConnection = (url: string, settings: SessionSettings): PostgresConnection => {
  const ended = Deferred.makeUnsafe<void>()
  const isClosed = () => Deferred.isDoneUnsafe(ended)
  const client = postgres(url, {
    max: 1,
    connect_timeout: CONNECT_TIMEOUT,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: 10,
    // No arrays are used, and it would cost each connection a query.
    fetch_types: false,
    onnotice: () => {},
    onclose: () => Deferred.doneUnsafe(ended, Effect.void),
    connection: { TimeZone: "UTC", ...settings }
  })
  const refuse = () => {
    throw new ConnectionClosed()
  }

  const close = Effect.promise(() => {
    Deferred.doneUnsafe(ended, Effect.void)
    return client.end({ timeout: 0 })
  })
  const closed = Deferred.await(ended)

  /** What `run` throws takes back what it did. Statements: how it begins, is kept, is taken back. */
  const bracket =
    (begin: string, keep: string, takeBack: string) =>
    async <A>(run: (sql: postgres.Sql) => Promise<A>) => {
      await sql.unsafe(begin)
      try {
        const result = await run(sql)
        await sql.unsafe(keep)
        return result
      } catch (cause) {
        if (!isClosed()) {
          // A statement that is sent while the connection breaks is never answered.
          await Promise.race([sql.unsafe(takeBack), Effect.runPromise(closed)]).catch(() => Effect.runPromise(close))
        }
        throw cause
      }
    }
  const begin = bracket("begin", "commit", "rollback")
  let savepoints = 0
  const savepoint = <A>(run: (sql: postgres.Sql) => Promise<A>) => {
    const name = `s${savepoints++}`
    return bracket(`savepoint ${name}`, `release ${name}`, `rollback to ${name}`)(run)
  }
  /**
   * What drizzle sends. Unprepared, the driver asks the server for the types of the parameters first: two round trips
   * each time, and the server parses and plans each time. A pooler that knows no prepared statements is said in the
   * URL: `?prepare=false`.
   */
  const prepared = new Set<string>()
  const unsafe: typeof client.unsafe = (text, parameters, options) => {
    if (isClosed()) return refuse()
    if (parameters === undefined || parameters.length === 0) return client.unsafe(text, parameters, options)
    if (prepared.size < PREPARED) prepared.add(text)
    return client.unsafe(text, parameters, { ...options, prepare: prepared.has(text) })
  }
  const sql: postgres.Sql = new Proxy(client, {
    apply: (target, self, args) => (isClosed() ? refuse() : Reflect.apply(target, self, args)),
    get: (target, name) => {
      // drizzle's transactions and nested ones.
      if (name === "begin") return begin
      if (name === "savepoint") return savepoint
      if (name === "unsafe") return unsafe
      return Reflect.get(target, name)
    }
  })
  return { sql, isClosed, closed, close }
}
