import { assert, describe, it } from "@effect/vitest"
import { PAUSED } from "@reelay/contracts/Export"
import type { ExportStatus } from "@reelay/contracts/Export"
import { ExportId, newId, NodeId } from "@reelay/contracts/Ids"
import { NODE_TTL } from "@reelay/contracts/messages/Topology"
import { FarmView, SCHEDULER_SILENCE } from "@reelay/platform/FarmView"
import { DateTime } from "effect"
import fc from "fast-check"
import { anAdvertisement, anExportProgress } from "./BusLab.ts"

const [a, b, c] = [newId(ExportId), newId(ExportId), newId(ExportId)] as const
const wallClock = DateTime.makeUnsafe("2026-01-01T00:00:00Z")
const node = NodeId.make("n")
const order = (...waiting: ReadonlyArray<ExportId>) => ({ v: 1 as const, waiting })

describe("FarmView", () => {
  it("knows the latest progress of what runs, and forgets what ended", () => {
    const view = new FarmView()
    assert.isNull(view.progressOf(a))
    const [change] = view.onProgress(anExportProgress(a, { percent: 20 }), 0)
    assert.strictEqual(change?._tag, "Progress")
    assert.strictEqual(view.progressOf(a)?.percent, 20)
    const ended = view.onProgress(anExportProgress(a, { percent: 100, status: "completed", stage: "done" }), 1)
    assert.strictEqual(ended.length, 1)
    assert.isNull(view.progressOf(a))
    assert.strictEqual(view.size.progress, 0)
  })

  it("never falls back within a run, and begins again with the next", () => {
    const step = fc.record({
      epoch: fc.integer({ min: 1, max: 3 }),
      percent: fc.integer({ min: 0, max: 100 }),
      status: fc.constantFrom<ExportStatus>("pending", "processing")
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const view = new FarmView()
        let before: { epoch: number; percent: number; status: ExportStatus } | null = null
        for (const some of steps) {
          view.onProgress(anExportProgress(a, some), 0)
          const now = view.progressOf(a)
          assert.isNotNull(now)
          if (now === null) return
          if (before !== null) {
            assert.isAtLeast(now.epoch, before.epoch)
            if (now.epoch === before.epoch && now.status === before.status)
              assert.isAtLeast(now.percent, before.percent)
          }
          before = now
        }
      })
    )
  })

  it("says places in the queue, in progress too, and only when they change", () => {
    const view = new FarmView()
    const waits = { status: "pending", stage: "queued", queuePosition: 9 } as const
    view.onProgress(anExportProgress(b, { ...waits, message: "Waiting for an encoder for av1" }), 0)
    assert.deepStrictEqual(view.onQueue(order(a, b), true, 0), [{ _tag: "Queue" }])
    assert.deepStrictEqual(
      [a, b, c].map((id) => view.queuePosition(id)),
      [1, 2, null]
    )
    assert.strictEqual(view.progressOf(b)?.queuePosition, 2)
    assert.strictEqual(view.progressOf(b)?.message, "Waiting for an encoder for av1")
    assert.deepStrictEqual(view.onQueue(order(a, b), true, 1), [])
    assert.deepStrictEqual(view.onQueue(order(b, c), true, 2), [{ _tag: "Queue" }])
    assert.deepStrictEqual(
      [a, b, c].map((id) => view.queuePosition(id)),
      [null, 1, 2]
    )
    // Nothing stands in its way any more: it is told by its place, as that is by now.
    view.onProgress(anExportProgress(b, { ...waits, message: "Waiting" }), 3)
    assert.strictEqual(view.progressOf(b)?.message, "Next in the queue")
    view.onQueue(order(a, c, b), true, 4)
    assert.strictEqual(view.progressOf(b)?.message, "Number 3 in the queue")
  })

  it("says of what waits that the queue is paused, whatever else stands in its way, for as long as it is", () => {
    const view = new FarmView()
    const waits = { status: "pending", stage: "queued", message: "Waiting for an encoder for av1" } as const
    view.onProgress(anExportProgress(b, waits), 0)
    view.onProgress(anExportProgress(c, { percent: 20, message: "Encoding" }), 0)
    assert.deepStrictEqual(view.onQueue({ ...order(a, b), paused: true }, true, 0), [{ _tag: "Queue" }])
    assert.isTrue(view.paused)
    assert.deepInclude(view.progressOf(b), { paused: true, queuePosition: 2, message: PAUSED })
    assert.strictEqual(view.progressOf(c)?.message, "Encoding")
    const [change] = view.onProgress(anExportProgress(b, waits), 1)
    assert.strictEqual(change?._tag === "Progress" ? change.progress.message : null, PAUSED)
    assert.deepStrictEqual(view.onQueue({ ...order(a, b), paused: true }, true, 1), [])
    // A scheduler of the version before says nothing of it.
    assert.deepStrictEqual(view.onQueue(order(a, b), true, 2), [{ _tag: "Queue" }])
    assert.isFalse(view.paused)
    assert.strictEqual(view.progressOf(b)?.message, waits.message)
    assert.notProperty(view.progressOf(b), "paused")
  })

  it("sees a scheduler by what it says, not by what lay in the stream", () => {
    const view = new FarmView()
    view.onQueue(order(a), true, 0)
    assert.isFalse(view.schedulerSeen(0))
    assert.deepStrictEqual(view.onQueue(order(a), false, 10), [{ _tag: "Scheduler", seen: true }])
    assert.isTrue(view.schedulerSeen(10 + SCHEDULER_SILENCE))
    assert.deepStrictEqual(view.onTick(10 + SCHEDULER_SILENCE), [])
    assert.deepStrictEqual(view.onTick(10 + SCHEDULER_SILENCE + 1), [{ _tag: "Scheduler", seen: false }])
    assert.deepStrictEqual(view.onTick(10 + SCHEDULER_SILENCE + 2), [])
    assert.isFalse(view.schedulerSeen(10 + SCHEDULER_SILENCE + 1))
  })

  it("drops progress that a living scheduler no longer mentions, and keeps it while none lives", () => {
    const view = new FarmView()
    view.onProgress(anExportProgress(a), 0)
    for (let now = 1; now < 1000; now++) view.onTick(now)
    assert.isNotNull(view.progressOf(a))
    for (let now = 1000; now <= 1115; now += 5) {
      view.onQueue(order(), false, now)
      view.onTick(now)
    }
    assert.isNotNull(view.progressOf(a))
    for (let now = 1120; now <= 1130; now += 5) {
      view.onQueue(order(), false, now)
      view.onTick(now)
    }
    assert.isNull(view.progressOf(a))
  })

  it("shows a silent node as gone by its own clock, and forgets it later", () => {
    const view = new FarmView()
    assert.deepStrictEqual(view.onNode(node, anAdvertisement(node), 100, wallClock), [{ _tag: "Node", id: node }])
    assert.strictEqual(view.nodes(100 + NODE_TTL)[0]?.status, "active")
    assert.deepStrictEqual(view.onTick(100 + NODE_TTL), [])
    assert.deepStrictEqual(view.onTick(101 + NODE_TTL), [{ _tag: "Node", id: node }])
    assert.deepStrictEqual(view.onTick(102 + NODE_TTL), [])
    assert.strictEqual(view.nodes(102 + NODE_TTL)[0]?.status, "gone")
    view.onNode(node, anAdvertisement(node, { status: "draining" }), 200, wallClock)
    assert.strictEqual(view.nodes(200)[0]?.status, "draining")
    view.onTick(200 + 700)
    assert.deepStrictEqual(view.nodes(900), [])
  })

  it("drops a node that withdrew", () => {
    const view = new FarmView()
    assert.deepStrictEqual(view.onNode(node, null, 0, wallClock), [])
    view.onNode(node, anAdvertisement(node), 0, wallClock)
    assert.strictEqual(view.onNode(node, null, 1, wallClock).length, 1)
    assert.deepStrictEqual(view.nodes(1), [])
  })

  it("does not grow without bound", () => {
    const view = new FarmView()
    for (let i = 0; i < 25_000; i++) view.onProgress(anExportProgress(newId(ExportId)), i / 1000)
    view.onProgress(anExportProgress(a), 25)
    assert.isAtMost(view.size.progress, 20_000)
    assert.isNotNull(view.progressOf(a))
    for (let i = 0; i < 3000; i++) {
      const id = NodeId.make(`node-${i}`)
      view.onNode(id, anAdvertisement(id), i / 1000, wallClock)
    }
    assert.isAtMost(view.size.nodes, 2000)
  })
})
