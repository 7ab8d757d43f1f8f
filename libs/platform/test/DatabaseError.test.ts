import { assert, describe, it, layer } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import { databaseError } from "@reelay/platform/DatabaseError"
import { Infra } from "@reelay/platform/testing/Infra"
import { sql } from "drizzle-orm"
import { Effect, Layer } from "effect"

describe("what a driver threw", () => {
  const of = (code: string) =>
    databaseError("q", new Error("drizzle", { cause: Object.assign(new Error("driver"), { code }) }))
  it("nobody there: whoever else asks hears the same", () => {
    for (const code of ["ECONNREFUSED", "CONNECTION_CLOSED", "CONNECT_TIMEOUT", "08006", "53300", "57P01", "57P03"]) {
      assert.deepInclude(of(code), { reason: "unavailable", isAway: true }, code)
    }
  })
  it("given up by a server that is there: worth another try, and about this statement only", () => {
    for (const code of ["57014", "40P01", "40001", "53200", "53100", "55P03", "58030"]) {
      assert.deepInclude(of(code), { reason: "unavailable", isAway: false }, code)
    }
  })
  it("refused, or our mistake: nobody is away", () => {
    assert.deepInclude(of("23505"), { reason: "conflict", isAway: false })
    assert.deepInclude(of("42P01"), { reason: "unexpected", isAway: false })
    assert.deepInclude(databaseError("q", "text"), { reason: "unexpected", isAway: false })
  })
})

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("Postgres", (it) => {
  it.effect("its time-out is the statement's, the end of the session everyone's", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const late = yield* Effect.flip(
        database.transaction("late", async (tx) => {
          await tx.execute(sql`set local statement_timeout = 20`)
          await tx.execute(sql`select pg_sleep(20)`)
        })
      )
      assert.deepInclude(late, { reason: "unavailable", isAway: false })
      const ended = yield* Effect.flip(
        database.query("ended", (db) => db.execute(sql`select pg_terminate_backend(pg_backend_pid())`))
      )
      assert.deepInclude(ended, { reason: "unavailable", isAway: true })
    })
  )
})
