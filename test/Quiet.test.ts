import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { Farm, until } from "./Farm.ts"
import { writeNumbered } from "./Sources.ts"

describe("what an export does not do", () => {
  let farm: Farm
  let work: string
  let videoId: string
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-quiet-"))
    const source = join(work, "clip.mp4")
    ;[farm] = await Promise.all([Farm.start(), writeNumbered(source, { frames: 450 })])
    videoId = (await farm.upload(source)).id
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const log = (role: string) => readFile(join(farm.data, "logs", `${role}.log`), "utf8")
  const run = async (start: number) =>
    farm.completed(
      (await farm.create({ videoId, segments: [{ start, end: start + 14 }], settings: { mode: "fast" } })).id
    )

  it("nobody on the WebSocket: not one line about it, in any log", async () => {
    await run(0)
    const before = await Promise.all(["notifier", "scheduler", "api"].map(log))
    await run(0.1)
    const after = await Promise.all(["notifier", "scheduler", "api"].map(log))
    assert.deepStrictEqual(after, before)
    assert.notMatch(after.join("\n"), /no (listener|subscriber|client)|websocket/i)
  }, 240_000)

  it("three writes to Postgres: accepted, processing, completed; none from progress", async () => {
    const sql = postgres(await farm.databaseUrl(), { max: 1, onnotice: () => {} })
    await sql.unsafe("alter system set log_statement = 'mod'")
    await sql.unsafe("select pg_reload_conf()")
    const mark = "insert into farm (id) values (true) on conflict (id) do nothing"
    const [begin, end] = [`${mark} /* begin */`, `${mark} /* end */`]
    // The statement log is switched on when a statement of ours appears in it.
    await until("the statement log", async () => {
      await sql.unsafe(begin)
      return (await log("postgres")).includes(begin) ? true : undefined
    })
    const before = (await log("postgres")).length
    const done = await run(0.2)
    assert.strictEqual(done.status, "completed")
    assert.isAbove(done.frames, 400)
    // Another mark than those before: one of them may come into the log as late as this.
    await sql.unsafe(end)
    const written = await until("the end of the log", async () => {
      const text = (await log("postgres")).slice(before)
      return text.includes(end) ? text : undefined
    })
    const writes = written.split("\n").flatMap((line) => {
      const statement = /(?:statement|execute [^:]*): +(insert|update|delete|merge|copy)/i.exec(line)
      return statement?.[1] === undefined || line.includes(mark) ? [] : [statement[1].toLowerCase()]
    })
    assert.deepStrictEqual(writes, ["insert", "update", "update"])
    await sql.end()
  }, 240_000)
})

describe("accepting an export needs Postgres only", () => {
  let farm: Farm
  let work: string
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-accept-"))
    ;[farm] = await Promise.all([Farm.start(), writeNumbered(join(work, "clip.mp4"), { frames: 60 })])
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  it("NATS does not answer: 202 all the same, and the export is brought in when it does", async () => {
    const video = await farm.upload(join(work, "clip.mp4"))
    const letGo = await farm.hold("nats")
    const made = await farm.create({ videoId: video.id, settings: { resolution: "source", mode: "fast" } })
    assert.strictEqual(made.status, "pending")
    letGo()
    await farm.completed(made.id)
  }, 240_000)

  it("the doorbell is lost after the commit: the reconciler finds the row", async () => {
    const video = await farm.upload(join(work, "clip.mp4"))
    const letGo = await farm.hold("scheduler")
    const made = await farm.create({ videoId: video.id, settings: { resolution: "720p", mode: "fast" } })
    await farm.purge("EXPORTS")
    letGo()
    await farm.completed(made.id)
  }, 240_000)

  it("an undecodable message, and one of a newer version, on every subject: the farm goes on", async () => {
    const video = await farm.upload(join(work, "clip.mp4"))
    const nobody = "0198c9a0-0000-7000-8000-000000000001"
    const key = "a".repeat(64)
    const pool = (
      (await farm.consumers("TASKS")).find((name) => name.startsWith("pool-software-h264")) ?? "pool-x"
    ).slice(5)
    const subjects = [
      "exports.requested",
      "exports.control",
      `tasks.${pool}.${nobody}.${key}`,
      `results.${nobody}.${key}`,
      `events.${nobody}`,
      `progress.${nobody}`,
      `progress.${nobody}.${key}`,
      "queue.order",
      "$KV.nodes.stranger"
    ]
    for (const subject of subjects) {
      await farm.publish(subject, "\u0000 not json")
      await farm.publish(subject, JSON.stringify({ v: 1 }))
      await farm.publish(subject, JSON.stringify({ v: 99, exportId: nobody, anything: true }))
    }
    await farm.completed(
      (await farm.create({ videoId: video.id, settings: { resolution: "source", quality: "low" } })).id
    )
    const metrics = String((await farm.call("GET", "/metrics")).body)
    assert.match(metrics, /reelay_messages_rejected_total\{[^}]*\} [1-9]/)
    assert.strictEqual((await farm.call("GET", "/health/ready")).status, 200)
    // What does not decode is gone from the work queues; what is newer waits for somebody who can read it.
    const left = await farm.queued()
    assert.isAtMost(left.get("RESULTS") ?? 0, 1)
    assert.isAtMost(left.get("TASKS") ?? 0, 1)
    assert.isAtMost(left.get("EXPORTS") ?? 0, 1)
  }, 240_000)
})
