import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { migrateDatabase } from "../Migrations.ts"

/** Where test files get their databases: a server, and a migrated database there that nobody is connected to. */
export interface TestDatabases {
  /** Of a user that may create databases. */
  readonly adminUrl: string
  readonly template: string
}

const named = (url: string, database: string): string => {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

const asAdmin = async (adminUrl: string, run: (sql: postgres.Sql) => Promise<unknown>) => {
  const sql = postgres(adminUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    await run(sql)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

const freshName = (kind: string) => `reelay_${kind}_${randomBytes(6).toString("hex")}`

const drop = (adminUrl: string, name: string) =>
  asAdmin(adminUrl, (sql) => sql`drop database if exists ${sql(name)} with (force)`)

/** Once a run. */
export const makeTemplate = async (adminUrl: string): Promise<TestDatabases> => {
  const template = freshName("template")
  await asAdmin(adminUrl, (sql) => sql`create database ${sql(template)}`)
  await Effect.runPromise(migrateDatabase(named(adminUrl, template)))
  return { adminUrl, template }
}

export const dropTemplate = ({ adminUrl, template }: TestDatabases): Promise<void> => drop(adminUrl, template)

/** A database of one's own, gone with the scope (whoever is still connected). */
export const cloneDatabase = ({ adminUrl, template }: TestDatabases) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const name = freshName("test")
      await asAdmin(adminUrl, (sql) => sql`create database ${sql(name)} template ${sql(template)}`)
      return name
    }),
    (name) => Effect.promise(() => drop(adminUrl, name))
  ).pipe(Effect.map((name) => named(adminUrl, name)))

/** An empty one, for tests of the migrations themselves. */
export const emptyDatabase = (databases: TestDatabases) => cloneDatabase({ ...databases, template: "template0" })
