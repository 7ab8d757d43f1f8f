import { assert, describe, it } from "@effect/vitest"
import { LOCAL_USER } from "@reelay/platform/Auth"
import { Database } from "@reelay/platform/Database"
import { startNats } from "@reelay/platform/embedded/Nats"
import type { NatsServer } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import type { PostgresServer } from "@reelay/platform/embedded/Postgres"
import { ConfigProvider, Effect, Layer, Schedule } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import { mkdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectTo, Lab, next, stateOf } from "./NotifierLab.ts"

/** Until the connection is back and the streams are made. */
const AGAIN = Schedule.spaced("20 millis")

const me = LOCAL_USER
const PASSWORDS = { scheduler: "s", api: "a", encoder: "e", notifier: "n" }

/** Servers of this test's own, to be killed. */
const ownServers = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const made = join(tmpdir(), `reelay-outage-${randomUUID()}`)
      // Postgres' own user has to enter it.
      await mkdir(made, { mode: 0o755 })
      await writeFile(join(made, "secret"), randomBytes(32), { mode: 0o600 })
      return made
    }),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true, maxRetries: 5 }))
  )
  const natsFolder = join(folder, "nats")
  let nats: NatsServer = yield* startNats({ dataDirectory: natsFolder, port: 0, passwords: PASSWORDS })
  yield* Effect.addFinalizer(() => nats.kill)
  const postgresOptions = { dataDirectory: join(folder, "postgres"), durable: false }
  let postgres: PostgresServer = yield* startPostgres({ ...postgresOptions, port: 0 })
  yield* Effect.addFinalizer(() => postgres.kill)
  const { port: natsPort } = nats
  const { port: postgresPort, url: databaseUrl } = postgres
  const environment = (role: "scheduler" | "api" | "encoder" | "notifier") => ({
    DATABASE_URL: databaseUrl,
    REELAY_SECRET_FILE: join(folder, "secret"),
    ...nats.environment(role)
  })
  yield* Database.use((database) => database.migrate).pipe(
    Effect.provide(
      Database.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment("scheduler")))))
    )
  )
  return {
    environment,
    killNats: Effect.suspend(() => nats.kill),
    wipeNats: Effect.promise(() => rm(natsFolder, { recursive: true, force: true })),
    startNats: Effect.map(startNats({ dataDirectory: natsFolder, port: natsPort, passwords: PASSWORDS }), (server) => {
      nats = server
    }),
    killPostgres: Effect.suspend(() => postgres.kill),
    startPostgres: Effect.map(startPostgres({ ...postgresOptions, port: postgresPort }), (server) => {
      postgres = server
    })
  }
})

const readiness = (http: string) => Effect.promise(async () => (await fetch(`${http}/health/ready`)).status)
const untilReady = (http: string, status: number) =>
  readiness(http).pipe(Effect.delay(50), Effect.repeat({ until: (answer) => answer === status }))

describe("the notifier, while its servers come and go", () => {
  it.live("keeps its clients, and tells them what they missed", () =>
    Effect.gen(function* () {
      const servers = yield* ownServers
      yield* Effect.gen(function* () {
        const lab = yield* Lab
        const mine = yield* lab.anExport(me)
        const client = yield* connectTo(lab.url)
        client.send({ type: "subscribe", exports: "all" })
        yield* next(client, "snapshot")
        yield* lab.happen(me, mine, "processing")
        const before = yield* next(client, "state")

        // NATS is killed and wiped; meanwhile something happens that it will never tell.
        yield* servers.killNats
        yield* servers.wipeNats
        yield* untilReady(lab.http, 503)
        yield* lab.silently(mine, "failed")
        assert.deepStrictEqual(stateOf(yield* next(client, "state")), [mine, "failed", 1])
        yield* servers.startNats
        yield* untilReady(lab.http, 200)
        yield* lab.scheduler.ensureTopology.pipe(Effect.retry(AGAIN))
        yield* lab.silently(mine, "pending")
        yield* lab.say(me, mine, "pending", 1)
        const after = yield* next(client, "state")
        assert.deepStrictEqual(stateOf(after), [mine, "pending", 1])
        // Cursors of the old life are known to be old.
        const late = yield* connectTo(lab.url)
        late.send({ type: "subscribe", exports: "all", since: before.cursor })
        yield* next(late, "snapshot")

        // Postgres is killed; what is asked and what happens meanwhile waits for it.
        yield* servers.killPostgres
        yield* untilReady(lab.http, 503)
        const waiting = yield* connectTo(lab.url)
        waiting.send({ type: "subscribe", exports: "all" })
        yield* lab.say(me, mine, "pending", 1)
        yield* servers.startPostgres
        const snapshot = yield* next(waiting, "snapshot")
        assert.deepStrictEqual(
          snapshot.exports.map(({ id }) => id),
          [mine]
        )
        yield* untilReady(lab.http, 200)
        yield* lab.happen(me, mine, "processing")
        assert.deepStrictEqual(stateOf(yield* next(client, "state")), [mine, "processing", 2])
      }).pipe(Effect.provide(Lab.layerWith({ REELAY_AUTH: "local" }, Effect.succeed(servers))))
    })
  )
})
