import { assert, describe, it } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { farm } from "@reelay/platform/Tables"
import { sql } from "drizzle-orm"
import { ConfigProvider, Effect, Fiber, Layer } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { ownPostgres } from "./OwnPostgres.ts"

const against = (url: string) =>
  Database.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE_URL: url }))))

const on = <A, E>(url: string, test: Effect.Effect<A, E, Database | Scope.Scope>) =>
  test.pipe(Effect.provide(against(url), { local: true }))

const isUnavailable = (error: DatabaseError) => assert.strictEqual(error.reason, "unavailable", error.message)

/** A server that accepts and never says a word. */
const silentServer = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void; readonly connected: Promise<void> }>((resume) => {
    const sockets: Array<Socket> = []
    let arrived = () => {}
    const connected = new Promise<void>((done) => {
      arrived = done
    })
    const server = createServer((socket) => {
      sockets.push(socket)
      arrived()
    }).listen(0, "127.0.0.1", () =>
      resume(
        Effect.succeed({
          url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`,
          connected,
          close: () => {
            for (const socket of sockets) socket.destroy()
            server.close()
          }
        })
      )
    )
  }),
  ({ close }) => Effect.sync(close)
)

describe("Database without Postgres", () => {
  it.live(
    "fails at once while it is away, works at once when it is back, and nothing is left of a broken transaction",
    () =>
      Effect.gen(function* () {
        const own = yield* ownPostgres
        yield* on(
          own.url,
          Effect.gen(function* () {
            const database = yield* Database
            yield* database.migrate
            // Every connection of the pool has been used, so each of them is broken below.
            yield* Effect.all(
              Array.from({ length: 20 }, () => database.ping),
              { concurrency: "unbounded" }
            )

            const reached = Promise.withResolvers<void>()
            const gone = Promise.withResolvers<void>()
            const inStatement = yield* database
              .query("sleeps", (db) => db.execute(sql`select pg_sleep(8)`))
              .pipe(Effect.flip, Effect.forkChild({ startImmediately: true }))
            const betweenStatements = yield* database
              .transaction("pauses", async (tx) => {
                await tx.update(farm).set({ paused: true })
                reached.resolve()
                await gone.promise
                await tx.execute(sql`select 1`)
              })
              .pipe(Effect.flip, Effect.forkChild({ startImmediately: true }))
            yield* Effect.promise(() => reached.promise)
            yield* own.server().kill
            isUnavailable(yield* Fiber.join(inStatement))
            isUnavailable(yield* Fiber.join(betweenStatements))
            gone.resolve()

            const begun = performance.now()
            const errors = yield* Effect.all(
              Array.from({ length: 20 }, () => Effect.flip(database.ping)),
              { concurrency: 20 }
            )
            errors.forEach(isUnavailable)
            isUnavailable(yield* Effect.flip(database.migrate))
            assert.isBelow(performance.now() - begun, 10_000)

            yield* own.start
            const answers = Array.from({ length: 20 }, () => database.query("farm", (db) => db.select().from(farm)))
            for (const rows of yield* Effect.all(answers, { concurrency: 20 })) {
              assert.deepStrictEqual(rows, [{ id: true, paused: false }])
            }
          })
        )
      })
  )

  it.effect("gives up on a server that accepts and says nothing", () =>
    Effect.gen(function* () {
      const silent = yield* silentServer
      yield* on(
        silent.url,
        Effect.gen(function* () {
          const database = yield* Database
          const asking = yield* database.ping.pipe(Effect.flip, Effect.forkChild({ startImmediately: true }))
          yield* Effect.promise(() => silent.connected)
          yield* TestClock.adjust("10 seconds")
          isUnavailable(yield* Fiber.join(asking))
        })
      )
    })
  )

  it.live("names a server that is nowhere", () =>
    on(
      "postgres://nobody@127.0.0.1:1/none",
      Effect.gen(function* () {
        const database = yield* Database
        isUnavailable(yield* Effect.flip(database.ping))
      })
    )
  )
})
