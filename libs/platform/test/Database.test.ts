import { assert, layer } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import { farm } from "@reelay/platform/Tables"
import { Infra } from "@reelay/platform/testing/Infra"
import { sql } from "drizzle-orm"
import { Effect, Layer } from "effect"

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("Database", (it) => {
  it.effect("answers", () =>
    Effect.gen(function*() {
      const database = yield* Database
      yield* database.ping
      yield* database.migrate
      const rows = yield* database.query("farm", (db) => db.select().from(farm))
      assert.deepStrictEqual(rows, [{ id: true, paused: false }])
    }))

  it.effect("tells apart what went wrong", () =>
    Effect.gen(function*() {
      const database = yield* Database
      const twice = yield* database.query("again", (db) => db.insert(farm).values({ id: true })).pipe(Effect.flip)
      assert.strictEqual(twice.reason, "conflict")
      assert.strictEqual(twice.constraint, "farm_pkey")
      const nonsense = yield* database.query("nonsense", (db) => db.execute(sql`select nothing`)).pipe(Effect.flip)
      assert.strictEqual(nonsense.reason, "unexpected")
    }))
})
