import type { Role } from "@reelay/contracts/messages/Topology"
import { ConfigProvider, Context, Effect, Exit, Layer, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inject } from "vitest"
import { cloneDatabase } from "./Databases.ts"
import { freshNats } from "./NatsSources.ts"

export interface TestInfra {
  /** Superuser's, of this file's own database. */
  readonly databaseUrl: string
  readonly natsUrl: string
  /** The object store's folder. */
  readonly store: string
  /** A folder for whatever else a test puts somewhere. */
  readonly folder: string
  /** What a service of that role reads: DATABASE_URL, REELAY_NATS_*, REELAY_STORE, REELAY_SECRET_FILE. */
  readonly environment: (role: Role) => Readonly<Record<string, string>>
}

const infra = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-file-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 }))
  )
  const store = join(folder, "store")
  const secretFile = join(folder, "secret")
  yield* Effect.promise(async () => {
    await mkdir(store)
    await writeFile(secretFile, randomBytes(32), { mode: 0o600 })
  })
  const { databases, nats } = inject("reelay")
  const [databaseUrl, server] = yield* Effect.all([cloneDatabase(databases), freshNats(nats, join(folder, "nats"))], {
    concurrency: 2
  })
  const made: TestInfra = {
    databaseUrl,
    natsUrl: server.url,
    store,
    folder,
    environment: (role) => ({
      DATABASE_URL: databaseUrl,
      REELAY_STORE: store,
      REELAY_STORE_RESERVE_BYTES: "0",
      REELAY_SECRET_FILE: secretFile,
      ...server.environment(role)
    })
  }
  return made
})

/**
 * What a test file stands on: a database of its own (a clone of the migrated template that globalSetup made), a
 * nats-server of its own, and a folder for objects. Where they come from (REELAY_TEST_INFRA) is globalSetup's matter.
 */
export class Infra extends Context.Service<Infra, TestInfra>()("@reelay/platform/testing/Infra") {
  /** The configuration is the given role's, too, so that `Database.layer` and `Bus.layer` just work on it. */
  static readonly layerAs = (role: Role) =>
    Layer.unwrap(
      infra.pipe(
        Effect.map((made) =>
          Layer.merge(
            Layer.succeed(Infra, made),
            ConfigProvider.layer(ConfigProvider.fromUnknown(made.environment(role)))
          )
        )
      )
    )

  /** As the scheduler, who may do everything. */
  static readonly layer = Infra.layerAs("scheduler")
}

/** The same for tests that are not effects: `beforeAll(async () => { infra = await openInfra() })`, then `close()`. */
export const openInfra = async (): Promise<TestInfra & { readonly close: () => Promise<void> }> => {
  const scope = Scope.makeUnsafe()
  const made = await Effect.runPromise(infra.pipe(Scope.provide(scope)))
  return { ...made, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
