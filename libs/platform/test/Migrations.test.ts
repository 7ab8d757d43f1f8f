import { assert, describe, it } from "@effect/vitest"
import { databaseError } from "@reelay/platform/DatabaseError"
import { migrateDatabase, migrationsFolder } from "@reelay/platform/Migrations"
import { emptyDatabase } from "@reelay/platform/testing/Databases"
import { Effect } from "effect"
import { execa } from "execa"
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import postgres from "postgres"
import { inject } from "vitest"

const platform = dirname(migrationsFolder)
const migrateProgram = `
  import { Effect } from "effect"
  import { migrateDatabase } from "@reelay/platform/Migrations"
  await Effect.runPromise(migrateDatabase(process.argv[1]))`
const migrateInProcess = (url: string) =>
  Effect.promise(() => execa(process.execPath, ["--input-type=module", "-e", migrateProgram, url], { cwd: platform }))

const isSnapshot = (name: string) => name.endsWith("_snapshot.json")

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
      yield* migrateDatabase(url)
      assert.strictEqual((yield* rowsOf(url)).applied.length, files.length)
    })
  )

  /** What `drizzle-kit generate` says and makes beside a copy of the migrations, after `change` of that copy. */
  const generate = (change: (folder: string) => Promise<void>) =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-drift-"))),
        (made) => Effect.promise(() => rm(made, { recursive: true }))
      )
      const names = () => Effect.promise(() => readdir(folder, { recursive: true }))
      yield* Effect.promise(() => cp(migrationsFolder, folder, { recursive: true }).then(() => change(folder)))
      const before = yield* names()
      const kit = join(dirname(createRequire(import.meta.url).resolve("drizzle-kit")), "bin.cjs")
      // Both paths relative: drizzle-kit puts `./` before them. Its exit code is 0 even when it fails.
      const { stdout } = yield* Effect.promise(() =>
        execa(
          process.execPath,
          [
            kit,
            "generate",
            "--dialect",
            "postgresql",
            "--schema",
            "src/Tables.ts",
            "--out",
            relative(platform, folder)
          ],
          { cwd: platform }
        )
      )
      return { stdout, made: (yield* names()).filter((name) => !before.includes(name) && name.endsWith(".sql")) }
    })

  it.live("say what Tables.ts says: generating again makes nothing", () =>
    Effect.gen(function* () {
      const { stdout, made } = yield* generate(() => Promise.resolve())
      assert.include(stdout, "No schema changes")
      assert.deepStrictEqual(made, [])
      // And it would see a difference: here, a table that the migrations have not heard of.
      const drifted = yield* generate(async (folder) => {
        const newest = join(
          folder,
          "meta",
          (await readdir(join(folder, "meta"))).toSorted().findLast(isSnapshot) ?? "none"
        )
        const snapshot: { readonly tables: Record<string, unknown> } = JSON.parse(await readFile(newest, "utf8"))
        delete snapshot.tables["public.farm"]
        await writeFile(newest, JSON.stringify(snapshot))
      })
      assert.strictEqual(drifted.made.length, 1)
    })
  )

  it("an error that is not the database's is unexpected", () => {
    assert.strictEqual(databaseError("x", "thrown text").reason, "unexpected")
    assert.strictEqual(databaseError("x", new TypeError("a bug")).reason, "unexpected")
  })
})
