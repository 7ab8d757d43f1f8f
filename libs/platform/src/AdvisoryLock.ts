import { Duration, Effect, Schedule, Scope } from "effect"
import { createHash } from "node:crypto"
import { DatabaseError, databaseError } from "./DatabaseError.ts"
import { makeConnection } from "./PostgresConnection.ts"

/** Held by one process in the world, as long as `lost` has not completed. */
export interface AdvisoryLock {
  /** Completes when the lock, or the connection that holds it, is gone: the holder must stop acting at once. */
  readonly lost: Effect.Effect<void>
}

/** How soon a standby takes over after the holder's session has ended. */
const POLL = Duration.millis(500)
/** How often the holder makes sure that its session lives, and how long it waits for the answer. */
const HEARTBEAT = Duration.seconds(1)
const ANSWER_TIMEOUT = Duration.seconds(3)
/** A holder that is stopped (SIGSTOP, a frozen machine) stays connected: the server ends its silent session. */
const SILENCE = Duration.seconds(10)

const keyOf = (name: string): string => createHash("sha256").update(name).digest().readBigInt64BE(0).toString()

const makeSession = (url: string, name: string) => {
  const { sql, close, closed } = makeConnection(url, {
    application_name: `reelay-lock-${name}`,
    statement_timeout: Duration.toMillis(ANSWER_TIMEOUT),
    idle_session_timeout: Duration.toMillis(SILENCE),
    tcp_keepalives_idle: 5,
    tcp_keepalives_interval: 2,
    tcp_keepalives_count: 3
  })
  const ask = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => databaseError(`lock ${name}`, cause) }).pipe(
      Effect.timeout(ANSWER_TIMEOUT),
      Effect.raceFirst(
        closed.pipe(
          Effect.andThen(
            new DatabaseError({ query: `lock ${name}`, reason: "unavailable", constraint: null, cause: null })
          )
        )
      )
    )
  return {
    close,
    closed,
    tryLock: ask(() => sql<Array<{ held: boolean }>>`select pg_try_advisory_lock(${keyOf(name)}::bigint) as held`).pipe(
      Effect.map(([row]) => row?.held === true)
    ),
    beat: ask(() => sql`select 1`)
  }
}

/**
 * Waits for the lock, through outages, as long as it takes. Asks again and again instead of blocking in Postgres, where
 * a waiting statement holds back vacuum and a connection that died silently is not noticed.
 */
export const acquire = Effect.fn("AdvisoryLock.acquire")((url: string, name: string) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const session = makeSession(url, name)
      const waiting = session.tryLock.pipe(Effect.repeat({ until: (held) => held, schedule: Schedule.spaced(POLL) }))
      yield* restore(waiting).pipe(Effect.onError(() => session.close))
      yield* Scope.addFinalizer(yield* Effect.scope, session.close)
      yield* session.beat.pipe(
        Effect.delay(HEARTBEAT),
        Effect.forever,
        Effect.ignore,
        Effect.andThen(session.close),
        Effect.interruptible,
        Effect.forkScoped
      )
      return { lost: session.closed } satisfies AdvisoryLock
    })
  ).pipe(
    Effect.retry(Schedule.spaced(POLL)),
    // The schedule has no end, so no error comes through.
    Effect.orDie
  )
)
