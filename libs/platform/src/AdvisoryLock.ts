import { Deferred, Duration, Effect, Schedule, Scope } from "effect"
import { createHash } from "node:crypto"
import postgres from "postgres"
import { DatabaseError, databaseError } from "./DatabaseError.ts"

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

/** One connection, which is the lock's life: `closed` completes when it ends. */
const connect = (url: string, name: string) => {
  const closed = Deferred.makeUnsafe<void>()
  const client = postgres(url, {
    max: 1,
    connect_timeout: 3,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => {},
    onclose: () => Deferred.doneUnsafe(closed, Effect.void),
    connection: {
      application_name: `reelay-lock-${name}`,
      statement_timeout: Duration.toMillis(ANSWER_TIMEOUT),
      idle_session_timeout: Duration.toMillis(SILENCE),
      tcp_keepalives_idle: 5,
      tcp_keepalives_interval: 2,
      tcp_keepalives_count: 3
    }
  })
  const ask = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => databaseError(`lock ${name}`, cause) }).pipe(
      Effect.timeout(ANSWER_TIMEOUT)
    )
  return {
    closed,
    close: Effect.promise(() => client.end({ timeout: 0 })),
    tryLock: ask(() =>
      client<Array<{ held: boolean; pid: number }>>`
        select pg_try_advisory_lock(${keyOf(name)}::bigint) as held, pg_backend_pid() as pid`
    ).pipe(Effect.map(([row]) => row?.held === true ? row.pid : null)),
    backend: ask(() => client<Array<{ pid: number }>>`select pg_backend_pid() as pid`).pipe(
      Effect.map(([row]) => row?.pid ?? null)
    )
  }
}

/**
 * Waits for the lock, through outages, as long as it takes. Asks again and again instead of blocking in Postgres, where
 * a waiting statement holds back vacuum and a connection that died silently is not noticed. The driver reconnects by
 * itself, which must never pass for the session that took the lock: hence `closed` and the backend's number.
 */
export const acquire = Effect.fn("AdvisoryLock.acquire")((url: string, name: string) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const session = connect(url, name)
      const waiting = session.tryLock.pipe(
        Effect.repeat({ until: (held) => held !== null, schedule: Schedule.spaced(POLL) }),
        Effect.raceFirst(
          Deferred.await(session.closed).pipe(
            Effect.andThen(
              new DatabaseError({ query: `lock ${name}`, reason: "unavailable", constraint: null, cause: "closed" })
            )
          )
        )
      )
      const backend = yield* restore(waiting).pipe(Effect.onError(() => session.close))
      yield* Scope.addFinalizer(yield* Effect.scope, session.close)
      yield* session.backend.pipe(
        Effect.delay(HEARTBEAT),
        Effect.repeat({ while: (present) => present === backend }),
        Effect.ignore,
        Effect.andThen(Deferred.succeed(session.closed, undefined)),
        Effect.andThen(session.close),
        Effect.interruptible,
        Effect.forkScoped
      )
      return { lost: Deferred.await(session.closed) } satisfies AdvisoryLock
    })
  ).pipe(
    Effect.retry(Schedule.spaced(POLL)),
    // The schedule has no end, so no error comes through.
    Effect.orDie
  )
)
