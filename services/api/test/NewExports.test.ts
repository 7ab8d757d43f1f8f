import { assert, describe, it, layer } from "@effect/vitest"
import { ExportId, newId, ProjectId, UserId, VideoId } from "@reelay/contracts/Ids"
import { Database } from "@reelay/platform/Database"
import { exports_, videos } from "@reelay/platform/Tables"
import { digest, insertVideo, spec } from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq, inArray, sql } from "drizzle-orm"
import { Context, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import * as fc from "fast-check"
import { makeKeys, makeNewExports } from "../src/NewExports.ts"
import type { Inserted, NewExport } from "../src/NewExports.ts"
import { admit } from "../src/RateLimit.ts"

const rowOf = (userId: UserId, videoId: VideoId, more: Partial<NewExport> = {}): NewExport => ({
  id: newId(ExportId),
  userId,
  projectId: null,
  videoId,
  segments: null,
  type: "framing",
  delivery: "combined",
  settings: { resolution: "720p", format: "mp4" },
  priority: "normal",
  nodeLabels: ["a"],
  idempotencyKey: null,
  requestDigest: digest,
  spec: spec(userId, videoId),
  frames: 250,
  durationMicros: 10_000_000,
  specBytes: 1,
  sources: [videoId],
  images: [],
  ...more
})
const allAtOnce = <A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.all(effects.map(Effect.exit), { concurrency: "unbounded" })
const tagOf = (exit: Exit.Exit<Inserted, unknown>) => (Exit.isSuccess(exit) ? exit.value._tag : "failed")
const times = <A>(count: number, make: (n: number) => A) => Array.from({ length: count }, (_, n) => make(n))

/** Some api processes on one Postgres. */
const apis = (count: number, limit: number | null) =>
  Effect.forEach(times(count, String), () =>
    Effect.gen(function* () {
      const database = Context.get(yield* Layer.build(Layer.fresh(Database.layer)), Database)
      return yield* makeNewExports(limit).pipe(Effect.provideService(Database, database))
    })
  )

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("new exports", (it) => {
  const video = (user: UserId) => Database.use((database) => database.query("test", (db) => insertVideo(db, user)))
  const countOf = (user: UserId) =>
    Database.use((database) => database.query("test", (db) => db.$count(exports_, eq(exports_.userId, user))))

  it.effect("a statement that Postgres gave up for one of them is not the others' answer", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const user = UserId.make("deadlocked")
      const videoId = yield* video(user)
      const insert = yield* makeNewExports(null)
      const doomed = rowOf(user, videoId, { requestDigest: "doomed" })
      yield* database.query("test", async (db) => {
        await db.execute(sql`create function give_up() returns trigger language plpgsql as
          $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$`)
        await db.execute(sql`create trigger give_up before insert on exports for each row
          when (new.request_digest = 'doomed') execute function give_up()`)
      })
      const made = yield* allAtOnce([insert(doomed), ...times(3, () => insert(rowOf(user, videoId)))])
      yield* database.query("test", (db) => db.execute(sql`drop trigger give_up on exports`))
      assert.deepStrictEqual(made.map(tagOf), ["failed", "accepted", "accepted", "accepted"])
    })
  )

  it.effect("a crowd is few statements, and every row is as it was given", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const user = UserId.make("crowd")
      const videoId = yield* video(user)
      const insert = yield* makeNewExports(null)
      const rows = times(100, (n) =>
        rowOf(user, videoId, { segments: n % 2 === 0 ? null : [{ start: 0.1, end: n }], frames: n + 1 })
      )
      const made = yield* allAtOnce(rows.map(insert))
      assert.isTrue(made.every((exit) => tagOf(exit) === "accepted"))
      const stored = yield* database.query("test", (db) => db.select().from(exports_).where(eq(exports_.userId, user)))
      for (const [n, { sources: _, images: __, specBytes: ___, ...row }] of rows.entries()) {
        const found = stored.find(({ id }) => id === row.id)
        const exit = made[n]
        const createdAt =
          exit !== undefined && Exit.isSuccess(exit) && exit.value._tag === "accepted" ? exit.value.createdAt : ""
        assert.deepStrictEqual(found, {
          ...row,
          epoch: 0,
          status: "pending",
          encoder: null,
          plan: null,
          outputs: [],
          bytes: 0,
          error: null,
          createdAt,
          updatedAt: createdAt,
          startedAt: null,
          completedAt: null
        })
      }
      // Rows of one transaction have its number.
      const transactions = yield* database.query("test", (db) =>
        db
          .select({ count: sql<number>`count(distinct xmin::text)::int` })
          .from(exports_)
          .where(eq(exports_.userId, user))
      )
      assert.isAtMost(transactions[0]?.count ?? 100, 10)
    })
  )

  it.effect("what is wrong with one is nobody else's trouble", () =>
    Effect.gen(function* () {
      const [user, other] = [UserId.make("mixed"), UserId.make("other")]
      const [mine, theirs] = [yield* video(user), yield* video(other)]
      const insert = yield* makeNewExports(null)
      const cases = times(12, (n) => [
        { row: rowOf(user, mine), tag: "accepted" },
        { row: rowOf(user, mine, { nodeLabels: ["\u0000"] }), tag: "failed" },
        { row: rowOf(user, mine, { type: "nonsense" }), tag: "failed" },
        { row: rowOf(user, mine, { projectId: newId(ProjectId) }), tag: "failed" },
        { row: rowOf(user, mine, { idempotencyKey: `k${n}` }), tag: "accepted" },
        { row: rowOf(user, mine, { idempotencyKey: `k${n}` }), tag: "repeated" },
        { row: rowOf(other, theirs, { idempotencyKey: `k${n}` }), tag: "accepted" },
        { row: rowOf(user, theirs), tag: "gone" },
        { row: rowOf(user, newId(VideoId)), tag: "gone" },
        { row: rowOf(user, mine, { sources: [mine, newId(VideoId)] }), tag: "gone" }
      ]).flat()
      const made = yield* allAtOnce(cases.map(({ row }) => insert(row)))
      assert.deepStrictEqual(
        made.map(tagOf),
        cases.map(({ tag }) => tag)
      )
      assert.strictEqual(yield* countOf(user), 24)
      assert.strictEqual(yield* countOf(other), 12)
      const byKey = yield* makeKeys
      const found = yield* byKey({ userId: other, key: "k3" })
      assert.strictEqual(found?.userId, other)
      assert.isNull(yield* byKey({ userId: other, key: "unused" }))
    })
  )

  it.effect("a video that is being deleted is waited for, and is gone; one that is needed is not deleted", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const user = UserId.make("deleting")
      const [doomed, kept] = [yield* video(user), yield* video(user)]
      const insert = yield* makeNewExports(null)
      const locked = Promise.withResolvers<void>()
      const proceed = Promise.withResolvers<void>()
      const deletion = yield* Effect.forkChild(
        database.transaction("test", async (tx) => {
          await tx.select().from(videos).where(eq(videos.id, doomed)).for("update")
          locked.resolve()
          await proceed.promise
          await tx.delete(videos).where(eq(videos.id, doomed))
        }),
        { startImmediately: true }
      )
      yield* Effect.promise(() => locked.promise)
      const waiting = yield* Effect.forkChild(insert(rowOf(user, doomed)), { startImmediately: true })
      yield* database
        .query("waits", (db) =>
          db.execute(
            sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'insert into exports%'`
          )
        )
        .pipe(Effect.repeat({ schedule: Schedule.spaced(5), until: (held) => held.length > 0 }))
      // The other lane goes on.
      assert.strictEqual((yield* insert(rowOf(user, kept)))._tag, "accepted")
      assert.isUndefined(waiting.pollUnsafe())
      proceed.resolve()
      yield* Fiber.join(deletion)
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "gone")
      assert.strictEqual(yield* countOf(user), 1)
    })
  )

  it.effect(
    "several processes with the same keys, in any order: each key is one export, and nobody waits in a circle",
    () =>
      Effect.gen(function* () {
        const user = UserId.make("keys")
        const videoId = yield* video(user)
        const inserts = yield* apis(3, null)
        const keys = times(40, (n) => `key ${n}`)
        for (let round = 0; round < 5; round++) {
          const made = yield* allAtOnce(
            inserts.flatMap((insert, n) =>
              (n === 1 ? keys.toReversed() : keys).map((key) =>
                insert(rowOf(user, videoId, { idempotencyKey: `${key} of ${round}` }))
              )
            )
          )
          assert.strictEqual(made.filter((exit) => tagOf(exit) === "accepted").length, keys.length)
          assert.strictEqual(made.filter((exit) => tagOf(exit) === "repeated").length, 2 * keys.length)
        }
      })
  )

  it.effect("the limit is exact, whatever comes at once, through however many processes", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const users = times(3, (n) => UserId.make(`limited ${n}`))
      const videoIds = yield* Effect.forEach(users, video)
      const inserts = yield* apis(3, 7)
      const asked = inserts.flatMap((insert) =>
        users.flatMap((user, n) => {
          const videoId = videoIds[n] ?? newId(VideoId)
          return [
            ...times(5, () => insert(rowOf(user, videoId))),
            // Counts once, however often it comes.
            ...times(5, () => insert(rowOf(user, videoId, { idempotencyKey: "again" })))
          ]
        })
      )
      const made = yield* allAtOnce(asked)
      assert.isFalse(made.some((exit) => tagOf(exit) === "failed"))
      for (const user of users) assert.strictEqual(yield* countOf(user), 7)
      assert.strictEqual(made.filter((exit) => tagOf(exit) === "accepted").length, 21)
      // What is left falls by one with each, and is never told twice.
      const remaining = made.flatMap((exit) =>
        Exit.isSuccess(exit) && exit.value._tag === "accepted" ? [exit.value.allowance?.remaining ?? -1] : []
      )
      assert.deepStrictEqual(
        remaining.toSorted((a, b) => a - b),
        times(7, (n) => [n, n, n]).flat()
      )
      // By Postgres' clock, and not by the ids that our processes made.
      const [first] = yield* database.query("test", (db) =>
        db
          .select({ id: exports_.id })
          .from(exports_)
          .where(inArray(exports_.userId, users.slice(0, 1)))
          .limit(1)
      )
      yield* database.query("test", async (db) => {
        await db.execute(sql`alter table exports disable trigger user`)
        await db
          .update(exports_)
          .set({ createdAt: sql`now() - interval '61 minutes'` })
          .where(eq(exports_.id, first?.id ?? ""))
        await db.execute(sql`alter table exports enable trigger user`)
      })
      const [insert] = inserts
      const [user] = users
      if (insert === undefined || user === undefined) return assert.fail("none")
      const again = yield* allAtOnce(times(4, () => insert(rowOf(user, videoIds[0] ?? newId(VideoId)))))
      assert.deepStrictEqual(again.map(tagOf).toSorted(), ["accepted", "limited", "limited", "limited"])
    })
  )
})

describe("who gets in", () => {
  const asked = fc.array(
    fc.record({
      userId: fc.constantFrom("a", "b"),
      key: fc.constantFrom(null, null, "x", "y"),
      known: fc.boolean()
    }),
    { maxLength: 30 }
  )
  it("never more than the limit, in order, and a key once; a key that is known uses nothing up", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat({ max: 6 }), asked, (limit, count, all) => {
        const used = { count: Math.min(count, limit), oldest: count === 0 ? null : 100 }
        const judged = admit(
          limit,
          all.map((one) => ({ ...one, known: one.key !== null && one.known, used }))
        )
        for (const userId of ["a", "b"]) {
          const mine = judged.filter((one) => one.userId === userId)
          const free = limit - used.count
          let admitted = 0
          const keys = new Set<string>()
          for (const { key, known, verdict } of mine) {
            if (known || (key !== null && keys.has(key))) assert.strictEqual(verdict._tag, "repeated")
            else if (admitted === free) assert.strictEqual(verdict._tag, "limited")
            else {
              admitted++
              if (key !== null) keys.add(key)
              assert.deepInclude(verdict, {
                _tag: "admitted",
                allowance: { limit, remaining: free - admitted, resetSeconds: used.oldest === null ? 3600 : 3500 }
              })
            }
          }
        }
      })
    )
  })
})
