import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { PAUSED } from "@reelay/contracts/Export"
import { Build, lightPool } from "@reelay/contracts/Plan"
import { ExportId, NodeId, TaskKey } from "@reelay/contracts/Ids"
import { control, queueOrder } from "@reelay/contracts/messages/Messages"
import type { Control } from "@reelay/contracts/messages/Messages"
import { farm } from "@reelay/platform/Tables"
import { Effect, Fiber, Stream } from "effect"
import { isProblem, itemsOf, NOBODY, record, until } from "./Answers.ts"
import { bearer, JWT, startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { advertisement } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"

describe("the farm", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let root: Record<string, string>
  let alice: Record<string, string>
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi({ env: JWT }), TinyClips.make()])
    ;[root, alice] = await Promise.all([bearer("root", { role: "operator" }), bearer("alice")])
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })
  const advertise = (id: string, part: Parameters<typeof advertisement>[1] = {}) =>
    api.run(api.bus.advertise(advertisement(id, part)))
  const nodes = async (who: Record<string, string>) => itemsOf(await api.call("GET", "/api/nodes", undefined, who))
  const missing = async () => record((await api.call("GET", "/health/ready")).body)["missing"]

  it("is ready when a scheduler was heard and a node has a slot; says what is missing until then", async () => {
    await until("the queue", async () => JSON.stringify(await missing()) === `["scheduler","encoder"]`)
    await advertise("full", { slots: { total: 0, busy: 0 } })
    await advertise("drains", { status: "draining" })
    await until("the nodes", async () => (await nodes(root)).length === 2)
    await until("the scheduler", async () => {
      await api.run(api.bus.broadcast(queueOrder, { v: 1, waiting: [] }))
      return JSON.stringify(await missing()) === `["encoder"]`
    })
    await advertise("free")
    await until("readiness", async () => (await api.call("GET", "/health/ready")).status === 200)
    assert.deepStrictEqual((await api.call("GET", "/health/ready")).body, { status: "ready" })
  })

  it("shows nodes; of tasks, to each the own, to operators all", async () => {
    const { id: videoId } = await api.upload(await clips.plain("a.mp4"), alice)
    const made = await api.start({ videoId }, alice)
    const task = { task: TaskKey.make("a".repeat(64)), epoch: 1, pool: lightPool(Build.make("0123456789ab")) }
    const running = [
      { ...task, exportId: made.id },
      { ...task, exportId: ExportId.make(NOBODY) }
    ]
    await advertise("busy", { tasks: running, slots: { total: 2, busy: 2 } })
    await until("the node", async () => (await nodes(root)).some((node) => node["id"] === "busy"))
    const seenBy = async (who: Record<string, string>) => {
      const tasks = (await nodes(who)).find((node) => node["id"] === "busy")?.["tasks"]
      return Array.isArray(tasks) ? tasks.map((one) => record(one)["exportId"]) : []
    }
    assert.deepStrictEqual(await seenBy(root), [made.id, NOBODY])
    assert.deepStrictEqual(await seenBy(alice), [made.id])
    assert.deepStrictEqual(await seenBy(await bearer("bob")), [])
    const busy = (await nodes(root)).find((node) => node["id"] === "busy")
    assert.deepInclude(busy ?? {}, { host: "here", status: "active", version: "0.1.0", slots: { total: 2, busy: 2 } })
  })

  it("drain, resume and stop reach the node, and the answer shows what it did", async () => {
    await advertise("n1")
    await until("the node", async () => (await nodes(root)).some((node) => node["id"] === "n1"))
    const heard: Array<Control> = []
    // An encoder that does as it is told.
    const encoder = Effect.runFork(
      api.bus.subscribe(control).pipe(
        Stream.runForEach((message) => {
          heard.push(message)
          if (message._tag === "Drain")
            return Effect.ignore(api.bus.advertise(advertisement("n1", { status: "draining" })))
          if (message._tag === "Resume") return Effect.ignore(api.bus.advertise(advertisement("n1")))
          if (message._tag === "Stop") return Effect.ignore(api.bus.withdraw(NodeId.make("n1")))
          return Effect.void
        })
      )
    )
    await until("the encoder to listen", async () => {
      await api.run(api.bus.broadcast(control, { _tag: "Queue", v: 1, paused: false }))
      return heard.length > 0
    })
    const tell = async (verb: string) => record((await api.call("POST", `/api/nodes/n1/${verb}`, undefined, root)).body)
    assert.strictEqual((await tell("drain"))["status"], "draining")
    assert.strictEqual((await tell("resume"))["status"], "active")
    assert.strictEqual((await tell("stop"))["id"], "n1")
    await until("it to be gone", async () => !(await nodes(root)).some((node) => node["id"] === "n1"))
    isProblem(await api.call("POST", "/api/nodes/n1/drain", undefined, root), 404, "not_found")
    isProblem(await api.call("POST", "/api/nodes/no%20node/drain", undefined, root), 404, "not_found")
    assert.includeMembers(
      heard.map((message) => message._tag),
      ["Drain", "Resume", "Stop"]
    )
    await Effect.runPromise(Fiber.interrupt(encoder))
  })

  it("the queue is paused in Postgres, and everyone is told", async () => {
    assert.deepStrictEqual((await api.call("PUT", "/api/queue", { paused: true }, root)).body, { paused: true })
    const stored = await api.run(api.database.query("test", (db) => db.select().from(farm)))
    assert.deepStrictEqual(stored, [{ id: true, paused: true }])
    assert.deepStrictEqual((await api.call("GET", "/api/queue", undefined, root)).body, { paused: true })
    isProblem(await api.call("PUT", "/api/queue", { paused: "yes" }, root), 400, "validation")
    assert.deepStrictEqual((await api.call("PUT", "/api/queue", { paused: false }, root)).body, { paused: false })
  })

  it("queue positions come from the scheduler", async () => {
    const { id: videoId } = await api.upload(await clips.plain("b.mp4"), alice)
    const made = await api.start({ videoId }, alice)
    await until("its place", async () => {
      await api.run(api.bus.broadcast(queueOrder, { v: 1, waiting: [ExportId.make(NOBODY), made.id] }))
      return record((await api.call("GET", `/api/exports/${made.id}`, undefined, alice)).body)["queuePosition"] === 2
    })
    const progress = record((await api.call("GET", `/api/exports/${made.id}/progress`, undefined, alice)).body)
    assert.deepInclude(progress, { stage: "queued", queuePosition: 2, percent: 0 })
    // Over HTTP, too, it is said why it goes on waiting; the words are what the command line shows.
    await until("that the queue is paused", async () => {
      await api.run(api.bus.broadcast(queueOrder, { v: 1, waiting: [ExportId.make(NOBODY), made.id], paused: true }))
      return record((await api.call("GET", `/api/exports/${made.id}`, undefined, alice)).body)["paused"] === true
    })
    const paused = record((await api.call("GET", `/api/exports/${made.id}/progress`, undefined, alice)).body)
    assert.deepInclude(paused, { stage: "queued", queuePosition: 2, paused: true, message: PAUSED })
    const estimate = record((await api.call("POST", "/api/exports/estimate", { videoId }, alice)).body)
    assert.isAtLeast(Number(estimate["queuePosition"]), 2)
  })
})
