import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/postgres-js"
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import { Config, Context, Duration, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import postgres from "postgres"
import { acquire } from "./AdvisoryLock.ts"
import type { AdvisoryLock } from "./AdvisoryLock.ts"
import { DatabaseError, databaseError } from "./DatabaseError.ts"
import { migrateDatabase } from "./Migrations.ts"
import * as Tables from "./Tables.ts"

/** drizzle's handle. Never keep it: a query gets the one that holds. */
export type Db = PostgresJsDatabase<typeof Tables>
export type Transaction = Parameters<Parameters<Db["transaction"]>[0]>[0]

const POOL = 8
/** Seconds. */
const CONNECT_TIMEOUT = 3
/** The server gives up first, so that a client's time-out means that the server is not there. */
const STATEMENT_TIMEOUT = Duration.seconds(8)
const QUERY_TIMEOUT = Duration.seconds(10)

/** An URL for one client of the server, with what every connection of Reelay has in common. */
const connect = (url: string, application: string) =>
  postgres(url, {
    max: POOL,
    connect_timeout: CONNECT_TIMEOUT,
    idle_timeout: 60,
    keep_alive: 10,
    // The default grows to 20 s, and every query that picks such a connection waits for it.
    backoff: (attempt) => Math.min(0.05 * attempt, 0.5),
    // No arrays are used, and it would cost each new connection a query.
    fetch_types: false,
    onnotice: () => {},
    connection: {
      application_name: application,
      TimeZone: "UTC",
      statement_timeout: Duration.toMillis(STATEMENT_TIMEOUT),
      idle_in_transaction_session_timeout: Duration.toMillis(QUERY_TIMEOUT)
    }
  })

/**
 * Postgres, as Reelay uses it. Building the layer does not connect, nothing waits for a server that is away: a query
 * then fails with `unavailable` within seconds, and the next one after its return succeeds.
 */
export class Database extends Context.Service<Database, {
  /** One statement, or some that need no common outcome. At most 10 s. */
  query<A>(name: string, run: (db: Db) => Promise<A>): Effect.Effect<A, DatabaseError>
  /** All or nothing: what `run` throws rolls back. At most 10 s. */
  transaction<A>(name: string, run: (tx: Transaction) => Promise<A>): Effect.Effect<A, DatabaseError>
  /** Whether Postgres answers: for readiness. */
  readonly ping: Effect.Effect<void, DatabaseError>
  /** Brings the schema up to date. Several processes may do it at once; quick when there is nothing to do. */
  readonly migrate: Effect.Effect<void, DatabaseError>
  /**
   * Waits until this process alone holds `name` (through outages, too), on a connection of its own that must reach
   * Postgres directly (DATABASE_DIRECT_URL), not through a pooler. Released with the scope.
   */
  advisoryLock(name: string): Effect.Effect<AdvisoryLock, never, Scope.Scope>
}>()("@reelay/platform/Database") {
  static readonly layer = Layer.effect(
    Database,
    Effect.gen(function*() {
      const url = Redacted.value(yield* Config.Redacted("DATABASE_URL"))
      const directUrl = Redacted.value(
        yield* Config.Redacted("DATABASE_DIRECT_URL").pipe(Config.withDefault(Redacted.make(url)))
      )
      const open = () => {
        const client = connect(url, "reelay")
        return { client, db: drizzle(client, { schema: Tables }) }
      }
      let pool = open()
      yield* Effect.addFinalizer(() => Effect.promise(() => pool.client.end({ timeout: 2 })))

      /** A server that accepts and then says nothing would keep these connections for ever. */
      const replace = (silent: typeof pool) =>
        Effect.sync(() => {
          if (pool !== silent) return
          pool = open()
          void silent.client.end({ timeout: 0 })
        })

      const run = <A>(name: string, use: (db: Db) => Promise<A>) =>
        Effect.suspend(() => {
          const used = pool
          return Effect.tryPromise({ try: () => use(used.db), catch: (cause) => databaseError(name, cause) }).pipe(
            Effect.timeoutOrElse({
              duration: QUERY_TIMEOUT,
              orElse: () =>
                replace(used).pipe(
                  Effect.andThen(
                    Effect.fail(
                      new DatabaseError({
                        query: name,
                        reason: "unavailable",
                        constraint: null,
                        cause: new Error(`no answer within ${Duration.format(QUERY_TIMEOUT)}`)
                      })
                    )
                  )
                )
            })
          )
        }).pipe(Effect.withSpan("Database.query", { attributes: { query: name } }))

      return Database.of({
        query: run,
        transaction: (name, use) => run(name, (db) => db.transaction(use)),
        ping: run("ping", (db) => db.execute(sql`select 1`)).pipe(Effect.asVoid),
        migrate: migrateDatabase(directUrl),
        advisoryLock: (name) => acquire(directUrl, name)
      })
    })
  )
}
