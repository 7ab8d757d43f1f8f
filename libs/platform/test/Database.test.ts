import { assert, layer } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import { makeConnection } from "@reelay/platform/PostgresConnection"
import { farm } from "@reelay/platform/Tables"
import { Infra } from "@reelay/platform/testing/Infra"
import { sql } from "drizzle-orm"
import { Effect, Fiber, Layer } from "effect"

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("Database", (it) => {
  it.effect("answers", () =>
    Effect.gen(function* () {
      const database = yield* Database
      yield* database.ping
      yield* database.migrate
      const rows = yield* database.query("farm", (db) => db.select().from(farm))
      assert.deepStrictEqual(rows, [{ id: true, paused: false }])
    })
  )

  it.effect("does all of a transaction or nothing, also within one", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const paused = database.query("farm", (db) => db.select().from(farm)).pipe(Effect.map(([row]) => row?.paused))
      const broken = yield* Effect.flip(
        database.transaction("broken", async (tx) => {
          await tx.update(farm).set({ paused: true })
          throw new Error("on purpose")
        })
      )
      assert.include(broken.message, "on purpose")
      assert.isFalse(yield* paused)
      yield* database.transaction("nested", async (tx) => {
        await tx.update(farm).set({ paused: true })
        await tx
          .transaction(async (inner) => {
            await inner.update(farm).set({ paused: false })
            inner.rollback()
          })
          .catch(() => {})
      })
      assert.isTrue(yield* paused)
      yield* database.query("resume", (db) => db.update(farm).set({ paused: false }))
    })
  )

  it.effect("serves more askers than it has connections, and gives up a statement that is not waited for", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const name = "select 'abandoned', pg_sleep(30)"
      const sleeper = yield* database
        .query("sleep", (db) => db.execute(sql.raw(name)))
        .pipe(Effect.forkChild({ startImmediately: true }))
      const sleeping = database.query("sleeping", (db) =>
        db.execute(sql`select from pg_stat_activity where query = ${name} and state = 'active'`)
      )
      yield* sleeping.pipe(Effect.repeat({ until: (rows) => rows.length === 1 }))
      yield* Fiber.interrupt(sleeper)
      const answers = yield* Effect.all(
        Array.from({ length: 100 }, (_, n) => database.query("n", (db) => db.execute(sql`select ${n}::int as n`))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers.map(([row]) => row?.["n"]),
        Array.from({ length: 100 }, (_, n) => n)
      )
      const sessions = yield* database.query("sessions", (db) =>
        db.execute(sql`select from pg_stat_activity where application_name = 'reelay' and datname = current_database()`)
      )
      assert.isAtMost(sessions.length, 9)
    })
  )

  it.effect("a statement that takes too long is ended by the server", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const late = yield* Effect.flip(
        database.transaction("late", async (tx) => {
          await tx.execute(sql`set local statement_timeout = 50`)
          await tx.execute(sql`select pg_sleep(30)`)
        })
      )
      assert.strictEqual(late.reason, "unavailable")
      yield* database.ping
    })
  )

  it.effect("prepares statements once a connection, so many and no more, and none where a pooler knows none", () =>
    Effect.gen(function* () {
      const { databaseUrl } = yield* Infra
      const prepared = (url: string) =>
        Effect.acquireUseRelease(
          Effect.sync(() => makeConnection(url, {})),
          ({ sql }) =>
            Effect.promise(async () => {
              for (let n = 0; n < 300; n++) {
                for (const given of [n, n + 1]) {
                  const [row] = await sql.unsafe(`select $1::int + ${n} as sum`, [given])
                  assert.deepStrictEqual({ ...row }, { sum: given + n })
                }
              }
              const [row] = await sql.unsafe("select count(*)::int as kept from pg_prepared_statements")
              return row?.["kept"]
            }),
          ({ close }) => close
        )
      assert.strictEqual(yield* prepared(databaseUrl), 250)
      const pooled = new URL(databaseUrl)
      pooled.searchParams.set("prepare", "false")
      assert.strictEqual(yield* prepared(pooled.href), 0)
    })
  )

  it.effect("tells apart what went wrong", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const twice = yield* database.query("again", (db) => db.insert(farm).values({ id: true })).pipe(Effect.flip)
      assert.strictEqual(twice.reason, "conflict")
      assert.strictEqual(twice.constraint, "farm_pkey")
      const nonsense = yield* database.query("nonsense", (db) => db.execute(sql`select nothing`)).pipe(Effect.flip)
      assert.strictEqual(nonsense.reason, "unexpected")
    })
  )
})
