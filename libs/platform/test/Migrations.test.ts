import { assert, describe, it } from "@effect/vitest"
import { databaseError } from "@reelay/platform/DatabaseError"
import { migrateDatabase, migrationsFolder } from "@reelay/platform/Migrations"
import { emptyDatabase } from "@reelay/platform/testing/Databases"
import { Effect } from "effect"
import { execa } from "execa"
import { cp, mkdtemp, readdir, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import postgres from "postgres"
import { inject } from "vitest"

const platform = dirname(migrationsFolder)
const migrateProgram = `
  import { Effect } from "effect"
  import { migrateDatabase } from "@reelay/platform/Migrations"
  await Effect.runPromise(migrateDatabase(process.argv[1]))`
const migrateInProcess = (url: string) =>
  Effect.promise(() => execa(process.execPath, ["--input-type=module", "-e", migrateProgram, url], { cwd: platform }))

const rowsOf = (url: string) =>
  Effect.promise(async () => {
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    try {
      return {
        applied: await sql`select hash from drizzle.__drizzle_migrations`,
        farm: await sql`select paused from farm`
      }
    } finally {
      await sql.end()
    }
  })

describe("migrations", () => {
  it.live("four processes at once do it once", () =>
    Effect.gen(function* () {
      const url = yield* emptyDatabase(inject("reelay").databases)
      yield* Effect.all(
        Array.from({ length: 4 }, () => migrateInProcess(url)),
        { concurrency: 4 }
      )
      const files = (yield* Effect.promise(() => readdir(migrationsFolder))).filter((name) => name.endsWith(".sql"))
      const { applied, farm } = yield* rowsOf(url)
      assert.strictEqual(applied.length, files.length)
      assert.strictEqual(farm.length, 1)
      const begun = performance.now()
      yield* migrateDatabase(url)
      assert.isBelow(performance.now() - begun, 1000)
      assert.strictEqual((yield* rowsOf(url)).applied.length, files.length)
    })
  )

  it.live("say what Tables.ts says: generating again makes nothing", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-drift-"))),
        (made) => Effect.promise(() => rm(made, { recursive: true }))
      )
      const names = () => Effect.promise(() => readdir(folder, { recursive: true }))
      yield* Effect.promise(() => cp(migrationsFolder, folder, { recursive: true }))
      const before = yield* names()
      const kit = join(dirname(createRequire(import.meta.url).resolve("drizzle-kit")), "bin.cjs")
      yield* Effect.promise(() =>
        execa(
          process.execPath,
          [kit, "generate", "--dialect", "postgresql", "--schema", "src/Tables.ts", "--out", folder],
          {
            cwd: platform
          }
        )
      )
      assert.deepStrictEqual((yield* names()).toSorted(), before.toSorted())
    })
  )

  it("an error that is not the database's is unexpected", () => {
    assert.strictEqual(databaseError("x", "thrown text").reason, "unexpected")
    assert.strictEqual(databaseError("x", new TypeError("a bug")).reason, "unexpected")
  })
})
