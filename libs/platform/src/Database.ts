import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/postgres-js"
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import { Config, Context, Duration, Effect, Layer, Option, Pool, Redacted } from "effect"
import type { Scope } from "effect"
import { acquire } from "./AdvisoryLock.ts"
import type { AdvisoryLock } from "./AdvisoryLock.ts"
import { DatabaseError, databaseError } from "./DatabaseError.ts"
import { migrateDatabase } from "./Migrations.ts"
import { makeConnection } from "./PostgresConnection.ts"
import type { PostgresConnection } from "./PostgresConnection.ts"
import * as Tables from "./Tables.ts"

/** drizzle's handle, for the length of a query: it is one connection's. */
export type Db = PostgresJsDatabase<typeof Tables>
export type Transaction = Parameters<Parameters<Db["transaction"]>[0]>[0]

const POOL = 8
/** After which a connection that nobody needed is closed. */
const IDLE = Duration.seconds(60)
/** The server gives up first, so that a client's time-out means that the server is not there. */
const STATEMENT_TIMEOUT = Duration.seconds(8)
const QUERY_TIMEOUT = Duration.seconds(10)

const unavailable = (query: string, detail: string) =>
  new DatabaseError({ query, reason: "unavailable", constraint: null, cause: new Error(detail) })

/**
 * Postgres, as Reelay uses it. Building the layer does not connect, nothing waits for a server that is away: a query
 * then fails with `unavailable` within seconds, and the next one after its return succeeds.
 */
export class Database extends Context.Service<
  Database,
  {
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
  }
>()("@reelay/platform/Database") {
  static readonly layer = Layer.effect(
    Database,
    Effect.gen(function* () {
      const url = Redacted.value(yield* Config.Redacted("DATABASE_URL"))
      const directUrl = Redacted.value(
        yield* Config.Redacted("DATABASE_DIRECT_URL").pipe(Config.withDefault(Redacted.make(url)))
      )
      const pool = yield* Pool.makeWithTTL({
        acquire: Effect.acquireRelease(
          Effect.sync(() => {
            const connection = makeConnection(url, {
              application_name: "reelay",
              statement_timeout: Duration.toMillis(STATEMENT_TIMEOUT),
              idle_in_transaction_session_timeout: Duration.toMillis(QUERY_TIMEOUT)
            })
            return { ...connection, db: drizzle(connection.sql, { schema: Tables }) }
          }),
          (connection) => connection.close
        ),
        min: 0,
        max: POOL,
        timeToLive: IDLE
      })

      const use = <A>(
        name: string,
        connection: PostgresConnection & { readonly db: Db },
        body: (db: Db) => Promise<A>
      ) =>
        Effect.tryPromise({ try: () => body(connection.db), catch: (cause) => databaseError(name, cause) }).pipe(
          Effect.raceFirst(
            connection.closed.pipe(Effect.andThen(Effect.suspend(() => unavailable(name, "the connection ended"))))
          ),
          // Interrupted or out of time: the statement still runs there, and what it holds ends with the connection.
          Effect.onInterrupt(() => connection.close)
        )
      const attempt = <A>(name: string, body: (db: Db) => Promise<A>) =>
        Pool.get(pool).pipe(
          Effect.flatMap((connection) =>
            Effect.suspend(() =>
              connection.isClosed() ? Effect.succeedNone : use(name, connection, body).pipe(Effect.map(Option.some))
            ).pipe(
              Effect.ensuring(
                Effect.suspend(() => (connection.isClosed() ? Pool.invalidate(pool, connection) : Effect.void))
              )
            )
          ),
          Effect.scoped
        )

      const run = <A>(name: string, body: (db: Db) => Promise<A>) =>
        Effect.gen(function* () {
          for (;;) {
            // One that ended while nobody used it (Postgres was restarted) is passed over.
            const answer = yield* attempt(name, body)
            if (Option.isSome(answer)) return answer.value
          }
        }).pipe(
          Effect.timeoutOrElse({
            duration: QUERY_TIMEOUT,
            orElse: () => Effect.fail(unavailable(name, `no answer within ${Duration.format(QUERY_TIMEOUT)}`))
          }),
          Effect.withSpan("Database.query", { attributes: { query: name } })
        )

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
