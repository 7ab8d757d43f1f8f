import { startPostgres } from "@reelay/platform/embedded/Postgres"
import type { PostgresServer } from "@reelay/platform/embedded/Postgres"
import { Effect } from "effect"
import { mkdir, rm } from "node:fs/promises"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder that the user who runs Postgres may enter (mkdtemp's may not be, when we are root). */
export const openFolder = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = join(tmpdir(), `reelay-test-${randomUUID()}`)
    await mkdir(folder, { mode: 0o755 })
    return folder
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
)

/** A server of the test's own, to be killed and started at will, always on the same port. */
export const ownPostgres = Effect.gen(function* () {
  const folder = yield* openFolder
  const options = { dataDirectory: join(folder, "data"), durable: false }
  let server: PostgresServer = yield* startPostgres({ ...options, port: 0 })
  const { port, url } = server
  yield* Effect.addFinalizer(() => server.kill)
  return {
    url,
    dataDirectory: options.dataDirectory,
    server: () => server,
    start: startPostgres({ ...options, port }).pipe(
      Effect.tap((started) =>
        Effect.sync(() => {
          server = started
        })
      )
    )
  }
})
