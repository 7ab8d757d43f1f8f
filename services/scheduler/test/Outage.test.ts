import { assert, describe, it, layer } from "@effect/vitest"
import { ExportId, newId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { control } from "@reelay/contracts/messages/Messages"
import type { TaskMessage } from "@reelay/contracts/messages/Messages"
import * as Message from "@reelay/contracts/messages/Message"
import { EXPORTS, RESULTS, resultsConsumer, TASKS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { startNats } from "@reelay/platform/embedded/Nats"
import type { NatsServer } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import type { PostgresServer } from "@reelay/platform/embedded/Postgres"
import * as Directory from "@reelay/platform/ObjectStoreDirectory"
import { exports_, farm } from "@reelay/platform/Tables"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq, sql } from "drizzle-orm"
import { ConfigProvider, Effect, Latch, Layer, Schedule, Schema } from "effect"
import { connect } from "nats"
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { anEncoder, anExport, announced, aScheduler, lab, ring, rowOf, until } from "./Lab.ts"

const someone = (name: string) => UserId.make(`outage-${name}`)

/** Until an encoder has seen something. */
const firstOf = (seen: ReadonlyArray<TaskMessage>) =>
  Effect.sync(() => seen.length).pipe(
    Effect.repeat({ schedule: Schedule.spaced(20), until: (count) => count > 0 }),
    Effect.timeout("40 seconds")
  )

/** What is no message of ours, whatever its version, content and subject. */
const odd = (subject: string) =>
  Message.make({
    name: "Odd",
    version: 1000,
    schema: Schema.Struct({ v: Schema.Number, odd: Schema.String }),
    filter: subject,
    subject: () => subject,
    dedupeId: null
  })

/** Counts every statement that writes, also one that changes no row. */
const countWrites = Effect.gen(function* () {
  const database = yield* Database
  yield* database.query("count", async (db) => {
    await db.execute(sql`create table writes (on_table text not null, operation text not null)`)
    await db.execute(sql`create function count_write() returns trigger language plpgsql as $$
      begin insert into writes values (tg_table_name, tg_op); return null; end $$`)
    for (const table of ["exports", "attempts", "videos", "projects", "clips", "farm"]) {
      await db.execute(
        sql.raw(`create trigger counted after insert or update or delete or truncate on ${table}
        for each statement execute function count_write()`)
      )
    }
  })
  return database
    .query("writes", (db) =>
      db.execute<{ said: string }>(sql`select on_table || ' ' || operation as said from writes order by said`)
    )
    .pipe(Effect.map((rows) => [...rows].map((row) => row.said)))
})

describe("a scheduler, and what reaches it", () => {
  layer(lab, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("an export on its happy path is written three times, and nothing else is", () =>
      Effect.gen(function* () {
        const user = someone("writes")
        yield* aScheduler()
        yield* anEncoder("happy")
        const writes = yield* countWrites
        const id = yield* anExport(user)
        yield* ring(id, user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        yield* announced(id, "completed")
        assert.deepStrictEqual(yield* writes, [
          "exports INSERT",
          "exports UPDATE",
          "exports UPDATE",
          // The video that the test itself made.
          "videos INSERT"
        ])
      }).pipe(Effect.scoped)
    )

    it.effect("what does not decode is dropped, what is newer is given back, and the rest goes on", () =>
      Effect.gen(function* () {
        const bus = yield* Bus
        const user = someone("odd")
        const id = newId(ExportId)
        const place = (digit: string) => `results.${id}.${TaskKey.make(digit.repeat(64))}`
        yield* aScheduler()
        yield* anEncoder("steady")
        yield* bus.ensureTopology
        yield* bus.publish(odd("exports.requested"), { v: 1, odd: "no id" })
        yield* bus.publish(odd("exports.requested"), { v: 7, odd: "newer" })
        yield* bus.publish(odd(place("a")), { v: 1, odd: "no outcome" })
        yield* bus.publish(odd(place("b")), { v: 7, odd: "newer" })
        const mine = yield* anExport(user)
        yield* ring(mine, user)
        assert.strictEqual((yield* until(mine, "completed", "failed")).status, "completed")
        const left = yield* bus
          .subjects(RESULTS, `results.${id}.*`)
          .pipe(
            Effect.repeat({ schedule: Schedule.spaced(50), until: (subjects) => subjects.length === 1 }),
            Effect.timeout("40 seconds")
          )
        assert.deepStrictEqual(left, [place("b")])
        assert.deepStrictEqual(yield* bus.subjects(EXPORTS, "exports.requested"), ["exports.requested"])
        yield* bus.purge(RESULTS, place("b"))
        yield* bus.purge(EXPORTS, "exports.requested")
      }).pipe(Effect.scoped)
    )

    it.effect("streams and consumers that somebody removes are made again, and nothing is lost with them", () =>
      Effect.gen(function* () {
        yield* aScheduler()
        yield* anEncoder("bereft")
        yield* until(yield* anExport(someone("before")), "completed")
        const { REELAY_NATS_PASSWORD: pass = "", REELAY_NATS_USER: user = "" } = (yield* Infra).environment("scheduler")
        const servers = (yield* Infra).natsUrl
        const nc = yield* Effect.promise(() => connect({ servers, user, pass }))
        yield* Effect.addFinalizer(() => Effect.promise(() => nc.close()))
        const removed = Effect.fnUntraced(function* (what: string) {
          const answer = yield* Effect.promise(() => nc.request(`$JS.API.${what}`))
          assert.include(answer.string(), `"success":true`)
        })
        yield* removed(`CONSUMER.DELETE.${RESULTS}.${resultsConsumer.durable}`)
        yield* removed(`STREAM.DELETE.${TASKS}`)
        yield* removed(`STREAM.DELETE.${EXPORTS}`)
        const after = yield* anExport(someone("after"))
        assert.strictEqual((yield* until(after, "completed", "failed")).status, "completed")
      }).pipe(Effect.scoped)
    )

    it.effect("while the queue is paused nothing begins; then it does", () =>
      Effect.gen(function* () {
        const bus = yield* Bus
        const database = yield* Database
        const user = someone("paused")
        const pause = (paused: boolean) =>
          database
            .query("pause", (db) => db.update(farm).set({ paused }))
            .pipe(Effect.andThen(bus.broadcast(control, { _tag: "Queue", v: 1, paused })))
        yield* pause(true)
        yield* aScheduler()
        const seen = yield* anEncoder("waiting")
        const id = yield* anExport(user)
        yield* ring(id, user)
        yield* announced(id, "pending")
        // One after the other: by the last of them the encoder is long known.
        for (const name of ["p1", "p2", "p3", "p4"]) {
          const next = yield* anExport(someone(name))
          yield* ring(next, someone(name))
          yield* announced(next, "pending")
        }
        assert.strictEqual((yield* rowOf(id)).status, "pending")
        assert.isEmpty(seen)
        const [paused] = yield* database.query("now", (db) =>
          db.execute<{ now: string }>(sql`select now()::text as now`)
        )
        yield* pause(false)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.isTrue((row.startedAt ?? "") > (paused?.now ?? "?"), "it began after the pause")
      }).pipe(Effect.scoped)
    )

    it.effect("what was cancelled while no scheduler was there is said by the next, and nothing is said twice", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const user = someone("unheard")
        const gone = yield* anExport(user)
        const waiting = yield* anExport(someone("still waiting"))
        yield* Effect.gen(function* () {
          yield* aScheduler()
          yield* announced(gone, "pending")
          yield* announced(waiting, "pending")
        }).pipe(Effect.scoped)
        yield* database.query("cancel", (db) =>
          db
            .update(exports_)
            .set({ status: "cancelled", completedAt: sql`now()` })
            .where(eq(exports_.id, gone))
        )
        yield* aScheduler()
        // It may have begun: an encoder of an earlier test counts as there until its advertisement is old.
        const events = (yield* announced(gone, "cancelled")).filter((event) => event.status !== "processing")
        assert.deepStrictEqual(
          events.map((event) => event.status),
          ["pending", "cancelled"]
        )
        yield* anEncoder("late")
        yield* until(waiting, "completed")
        assert.deepStrictEqual(
          (yield* announced(waiting, "completed")).map((event) => event.status),
          ["pending", "processing", "completed"]
        )
      }).pipe(Effect.scoped)
    )
  })
})

const PASSWORDS = { scheduler: "s", api: "a", encoder: "e", notifier: "n" }

/** Servers of one's own, to be killed. */
const ownServers = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const made = await mkdtemp(join(tmpdir(), "reelay-scheduler-"))
      // Postgres' own user has to enter it.
      await chmod(made, 0o755)
      await mkdir(join(made, "store"))
      return made
    }),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 }))
  )
  const natsOptions = { dataDirectory: join(folder, "nats"), passwords: PASSWORDS }
  let nats: NatsServer = yield* startNats({ ...natsOptions, port: 0 })
  yield* Effect.addFinalizer(() => nats.kill)
  const postgresOptions = { dataDirectory: join(folder, "postgres"), durable: false }
  let postgres: PostgresServer = yield* startPostgres({ ...postgresOptions, port: 0 })
  yield* Effect.addFinalizer(() => postgres.kill)
  const [natsPort, postgresPort] = [nats.port, postgres.port]
  const environment = {
    DATABASE_URL: postgres.url,
    REELAY_STORE: join(folder, "store"),
    REELAY_STORE_RESERVE_BYTES: "0",
    REELAY_RECONCILE_SECONDS: "0.5",
    REELAY_TASK_ACK_WAIT: "3",
    ...nats.environment("scheduler")
  }
  const infra = Layer.merge(
    Layer.succeed(Infra, {
      databaseUrl: postgres.url,
      natsUrl: nats.url,
      store: environment.REELAY_STORE,
      folder,
      environment: () => environment
    }),
    ConfigProvider.layer(ConfigProvider.fromUnknown(environment))
  )
  return {
    layer: Layer.mergeAll(Database.layer, Bus.layer, Directory.layer).pipe(Layer.provideMerge(infra)),
    killNats: Effect.suspend(() => nats.kill),
    wipeNats: Effect.promise(() => rm(natsOptions.dataDirectory, { recursive: true, force: true })),
    startNats: Effect.map(startNats({ ...natsOptions, port: natsPort }), (server) => {
      nats = server
    }),
    killPostgres: Effect.suspend(() => postgres.kill),
    startPostgres: Effect.map(startPostgres({ ...postgresOptions, port: postgresPort }), (server) => {
      postgres = server
    })
  }
})

describe("a scheduler whose servers are killed in the middle of an export", () => {
  it.live(
    "NATS, and its memory with it; then Postgres: each export completes, once",
    () =>
      Effect.gen(function* () {
        const servers = yield* ownServers
        yield* Effect.gen(function* () {
          yield* (yield* Database).migrate
          const user = someone("killed")
          yield* aScheduler()
          const gate = yield* Latch.make(false)
          const seen = yield* anEncoder("patient", (_, done) => gate.await.pipe(Effect.andThen(Effect.suspend(done))))
          const first = yield* anExport(user)
          yield* until(first, "processing")
          yield* firstOf(seen)
          yield* servers.killNats
          yield* servers.wipeNats
          // Accepted while NATS is away: nobody rings.
          const second = yield* anExport(someone("accepted meanwhile"))
          yield* servers.startNats
          yield* gate.open
          for (const id of [first, second]) {
            const row = yield* until(id, "completed", "failed")
            assert.strictEqual(row.status, "completed")
            assert.strictEqual(row.epoch, 1)
          }
          // What was said of the second while nobody could hear it is said now.
          assert.deepStrictEqual(
            (yield* announced(second, "completed")).map((event) => event.status),
            ["pending", "processing", "completed"]
          )

          yield* gate.close
          const third = yield* anExport(someone("third"))
          const before = seen.length
          yield* Effect.sync(() => seen.length).pipe(
            Effect.repeat({ schedule: Schedule.spaced(20), until: (count) => count > before }),
            Effect.timeout("40 seconds")
          )
          yield* servers.killPostgres
          yield* gate.open
          yield* servers.startPostgres
          const row = yield* rowOf(third).pipe(
            Effect.retry(Schedule.spaced(100)),
            Effect.repeat({ schedule: Schedule.spaced(50), until: (each) => each.completedAt !== null }),
            Effect.timeout("40 seconds")
          )
          assert.strictEqual(row.status, "completed")
          assert.strictEqual(row.epoch, 1)
        }).pipe(Effect.provide(servers.layer), Effect.scoped)
      }).pipe(Effect.scoped),
    90_000
  )
})
