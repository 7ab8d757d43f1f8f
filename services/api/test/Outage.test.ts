import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import type { PostgresServer } from "@reelay/platform/embedded/Postgres"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { mkdir, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isProblem, itemsOf, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

describe("NATS is away", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi({ env: { REELAY_NATS_URL: "nats://127.0.0.1:1" } }), TinyClips.make()])
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  it("exports are accepted all the same, at once", async () => {
    const { id } = await api.upload(await clips.plain("a.mp4"))
    const began = performance.now()
    const made = await api.start({ videoId: id })
    assert.isBelow(performance.now() - began, 5000)
    assert.strictEqual(made.status, "pending")
    assert.strictEqual(record((await api.call("GET", `/api/exports/${made.id}/progress`)).body)["stage"], "queued")
    assert.strictEqual((await api.call("POST", `/api/exports/${made.id}/cancel`)).status, 202)
    assert.strictEqual((await api.call("POST", `/api/exports/${made.id}/retry`)).status, 202)
    assert.strictEqual((await api.call("PUT", "/api/queue", { paused: true })).status, 200)
    assert.deepStrictEqual(itemsOf(await api.call("GET", "/api/nodes")), [])
    const body = isProblem(await api.call("GET", "/health/ready"), 503, "unavailable")
    assert.deepStrictEqual(body["missing"], ["queue", "scheduler", "encoder"])
    assert.strictEqual((await api.call("GET", "/health/live")).status, 200)
  })
})

describe("Postgres is away", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let folder: string
  let server: PostgresServer
  let port: number
  const start = () => Effect.runPromise(startPostgres({ dataDirectory: join(folder, "data"), port, durable: false }))
  beforeAll(async () => {
    folder = join(tmpdir(), `reelay-outage-${randomUUID()}`)
    // Not mkdtemp, whose folders are closed to the user that runs Postgres when we are root.
    await mkdir(folder, { mode: 0o755 })
    port = 0
    ;[server, clips] = await Promise.all([start(), TinyClips.make()])
    port = server.port
    api = await startApi({ databaseUrl: server.url })
    await until("the schema", async () => (await api.call("GET", "/api/exports")).status === 200)
  })
  afterAll(async () => {
    await api.close()
    await Effect.runPromise(server.kill)
    await rm(folder, { recursive: true, force: true })
    await clips.remove()
  })

  it("everything that needs it is a 503 with a reason, nothing is half-made, and it comes back by itself", async () => {
    const file = await clips.plain("a.mp4")
    const { contentUrl, id } = await api.upload(file)
    const made = await api.start({ videoId: id })
    await Effect.runPromise(server.kill)
    // Sessions outlive a killed server for a moment, and may still answer.
    await until("the last session's end", async () => (await api.call("GET", "/api/exports")).status === 503)
    const objects = async () =>
      (await readdir(api.infra.store, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length
    const calls: ReadonlyArray<readonly [string, string, unknown?]> = [
      ["GET", "/api/exports"],
      ["GET", `/api/exports/${made.id}`],
      ["POST", "/api/exports", { videoId: id }],
      ["GET", contentUrl],
      ["POST", "/api/projects", { name: "x" }],
      ["POST", `/api/exports/${made.id}/cancel`],
      ["GET", "/api/queue"],
      ["DELETE", `/api/videos/${id}`]
    ]
    for (const [method, path, body] of calls) {
      const problem = isProblem(await api.call(method, path, body), 503, "unavailable")
      assert.deepStrictEqual(problem["missing"], ["database"])
      assert.notMatch(JSON.stringify(problem), /ECONN|postgres|127\.0/i)
    }
    assert.include(isProblem(await api.call("GET", "/health/ready"), 503, "unavailable")["missing"], "database")
    assert.strictEqual((await api.call("GET", "/health/live")).status, 200)
    isProblem(await api.uploadRaw(file), 503, "unavailable")
    server = await start()
    await until(
      "Postgres to be found again",
      async () => (await api.call("GET", `/api/exports/${made.id}`)).status === 200
    )
    assert.strictEqual(itemsOf(await api.call("GET", "/api/videos")).length, 1)
    assert.strictEqual(itemsOf(await api.call("GET", "/api/exports")).length, 1)
    assert.isAtLeast(await objects(), 3)
    assert.strictEqual((await api.start({ videoId: id })).status, "pending")
  })
})

describe("Postgres is away when the api starts", () => {
  it("serves, says what is missing, and makes the schema once it can", async () => {
    const folder = join(tmpdir(), `reelay-late-${randomUUID()}`)
    await mkdir(folder, { mode: 0o755 })
    const options = { dataDirectory: join(folder, "data"), durable: false }
    const first = await Effect.runPromise(startPostgres({ ...options, port: 0 }))
    await Effect.runPromise(first.kill)
    const api = await startApi({ databaseUrl: first.url })
    try {
      isProblem(await api.call("GET", "/api/exports"), 503, "unavailable")
      const server = await Effect.runPromise(startPostgres({ ...options, port: first.port }))
      await until("the schema", async () => (await api.call("GET", "/api/exports")).status === 200)
      await api.close()
      await Effect.runPromise(server.kill)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
