import { assert, layer } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import { Infra } from "@reelay/platform/testing/Infra"
import { sql } from "drizzle-orm"
import { ConfigProvider, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { execa } from "execa"
import { ownPostgres } from "./OwnPostgres.ts"

/** Held for the length of a scope of its own. */
const hold = Effect.fnUntraced(function* (name: string) {
  const database = yield* Database
  const scope = yield* Scope.make()
  const lock = yield* database.advisoryLock(name).pipe(Scope.provide(scope))
  return { lost: lock.lost, release: Scope.close(scope, Exit.void) }
})

const standBy = (name: string) => hold(name).pipe(Effect.forkChild({ startImmediately: true }))

/** Sessions that Postgres knows of for a lock: the holder's and those that wait. */
const sessions = Effect.fnUntraced(function* (name: string) {
  const database = yield* Database
  return yield* database.query("sessions", (db) =>
    db.execute<{ pid: number; holds: boolean }>(sql`
      select pid, exists (select from pg_locks l where l.pid = a.pid and locktype = 'advisory' and granted) as holds
      from pg_stat_activity a where application_name = ${`reelay-lock-${name}`} and datname = current_database()`)
  )
})

const untilTwo = (name: string) => sessions(name).pipe(Effect.repeat({ until: (found) => found.length === 2 }))

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("advisory lock", (it) => {
  it.effect("one holds it; the next takes over when it is given back", () =>
    Effect.gen(function* () {
      const first = yield* hold("one")
      const waiting = yield* standBy("one")
      yield* untilTwo("one")
      assert.isUndefined(waiting.pollUnsafe())
      yield* first.release
      const second = yield* Fiber.join(waiting)
      const held = (yield* sessions("one")).filter((session) => session.holds)
      assert.strictEqual(held.length, 1)
      yield* second.release
    })
  )

  it.effect("whose session is ended hears of it at once, and the standby takes over", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const first = yield* hold("two")
      const holder = (yield* sessions("two")).find((session) => session.holds)
      assert.isDefined(holder)
      const waiting = yield* standBy("two")
      yield* untilTwo("two")
      const begun = performance.now()
      yield* database.query("end", (db) => db.execute(sql`select pg_terminate_backend(${holder.pid})`))
      yield* first.lost
      assert.isBelow(performance.now() - begun, 5000)
      const second = yield* Fiber.join(waiting)
      const held = (yield* sessions("two")).filter((session) => session.holds)
      assert.strictEqual(held.length, 1)
      assert.notStrictEqual(held[0]?.pid, holder.pid)
      // Never again the first one's: its session does not come back.
      yield* first.lost
      yield* second.release
      yield* first.release
    })
  )

  it.effect("different names do not meet; who gives up waiting leaves nothing behind", () =>
    Effect.gen(function* () {
      const first = yield* hold("three")
      const other = yield* hold("four")
      const waiting = yield* standBy("three")
      yield* untilTwo("three")
      yield* Fiber.interrupt(waiting)
      yield* sessions("three").pipe(Effect.repeat({ until: (found) => found.length === 1 }))
      yield* first.release
      yield* other.release
    })
  )

  it.effect("waits through the absence of Postgres, loses it with Postgres", () =>
    Effect.gen(function* () {
      const own = yield* ownPostgres
      const configuration = ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE_URL: own.url }))
      yield* Effect.gen(function* () {
        const first = yield* hold("five")
        yield* own.server().kill
        yield* first.lost
        const waiting = yield* standBy("five")
        yield* own.start
        const second = yield* Fiber.join(waiting)
        yield* second.release
      }).pipe(Effect.provide(Database.layer.pipe(Layer.provide(configuration)), { local: true }))
    })
  )

  it.effect(
    "a holder that is stopped loses it to another, and hears of it when it goes on",
    () =>
      Effect.gen(function* () {
        const { databaseUrl } = yield* Infra
        const program = `
        import { Database } from "@reelay/platform/Database"
        import { Effect } from "effect"
        await Effect.gen(function*() {
          const database = yield* Database
          const lock = yield* database.advisoryLock("six")
          console.log("held")
          yield* lock.lost
          console.log("lost")
        }).pipe(Effect.scoped, Effect.provide(Database.layer), Effect.runPromise)`
        const holder = execa(process.execPath, ["--input-type=module", "-e", program], {
          cwd: import.meta.dirname,
          env: { DATABASE_URL: databaseUrl },
          reject: false
        })
        const lines = holder.iterable()
        const said = Effect.promise(() => lines.next().then(({ value }) => value))
        yield* Effect.addFinalizer(() => Effect.sync(() => holder.kill("SIGKILL")))
        assert.strictEqual(yield* said, "held")
        holder.kill("SIGSTOP")
        const second = yield* hold("six")
        holder.kill("SIGCONT")
        assert.strictEqual(yield* said, "lost")
        yield* second.release
      }),
    120_000
  )
})
