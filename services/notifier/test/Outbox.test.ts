import { assert, describe, it } from "@effect/vitest"
import { Export } from "@reelay/contracts/Export"
import type { ExportStatus } from "@reelay/contracts/Export"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import type { ServerMessage } from "@reelay/contracts/Socket"
import { DateTime } from "effect"
import fc from "fast-check"
import { Outbox, PROGRESS_INTERVAL } from "../src/Outbox.ts"
import { cursorOf, History, positionOf } from "../src/Position.ts"
import { aProgress } from "./NotifierLab.ts"

const ids = [newId(ExportId), newId(ExportId), newId(ExportId)] as const
const at = (seconds: number) => DateTime.makeUnsafe(seconds * 1000)

const anExport = (id: ExportId, status: ExportStatus, updated = 0): Export =>
  new Export({
    id,
    userId: UserId.make("u"),
    projectId: null,
    videoId: null,
    segments: null,
    type: "framing",
    delivery: "combined",
    settings: {
      resolution: "720p",
      format: "mp4",
      quality: "medium",
      mode: "balanced",
      fit: "crop",
      frameRate: "source",
      codec: "auto",
      loudness: null
    },
    priority: "normal",
    duration: 10,
    frames: 250,
    epoch: 1,
    status,
    queuePosition: null,
    progress: null,
    encoder: null,
    outputs: [],
    error: null,
    warnings: [],
    createdAt: at(0),
    startedAt: null,
    updatedAt: at(updated),
    completedAt: null
  })

const drain = (outbox: Outbox, now: number): Array<ServerMessage> => {
  const sent: Array<ServerMessage> = []
  for (let next = outbox.next(now); next._tag === "Send"; next = outbox.next(now)) sent.push(next.message)
  return sent
}

describe("Outbox", () => {
  it("sends the first messages first, and what came meanwhile after them unless they say more", () => {
    const outbox = new Outbox()
    outbox.hold()
    outbox.offerState(ids[0], anExport(ids[0], "processing", 5), "a:5")
    outbox.offerState(ids[1], anExport(ids[1], "completed", 9), "a:6")
    assert.deepStrictEqual(outbox.next(0), { _tag: "Idle" })
    outbox.start([
      {
        type: "snapshot",
        cursor: "a:4",
        exports: [anExport(ids[0], "completed", 7), anExport(ids[1], "processing", 8)]
      }
    ])
    const sent = drain(outbox, 0)
    assert.deepStrictEqual(
      sent.map((m) => (m.type === "state" ? m.export.id : m.type)),
      ["snapshot", ids[1]]
    )
  })

  it("keeps the latest of everything, cursors rising, at a bounded rate, however slowly it is read", () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant("state" as const),
        which: fc.nat(2),
        status: fc.constantFrom<ExportStatus>("processing", "completed", "failed")
      }),
      fc.record({ kind: fc.constant("progress" as const), which: fc.nat(2), percent: fc.nat(100) }),
      fc.record({ kind: fc.constant("gone" as const), which: fc.nat(2) }),
      fc.record({ kind: fc.constant("read" as const), millis: fc.nat(400), count: fc.nat(3) })
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const outbox = new Outbox()
        outbox.start([])
        let now = 0
        let sequence = 0
        const sent: Array<{ readonly message: ServerMessage; readonly now: number }> = []
        const latest = new Map<ExportId, string>()
        const latestProgress = new Map<ExportId, number>()
        for (const step of actions) {
          if (step.kind === "read") {
            now += step.millis
            for (let i = 0; i < step.count; i++) {
              const next = outbox.next(now)
              if (next._tag === "Send") sent.push({ message: next.message, now })
            }
            continue
          }
          const id = ids[step.which] ?? ids[0]
          switch (step.kind) {
            case "state":
              outbox.offerState(id, anExport(id, step.status), `a:${++sequence}`)
              latest.set(id, step.status)
              if (step.status !== "processing") latestProgress.delete(id)
              break
            case "gone":
              outbox.offerState(id, null, `a:${++sequence}`)
              latest.set(id, "gone")
              latestProgress.delete(id)
              break
            case "progress":
              outbox.offerProgress(id, aProgress({ percent: step.percent }))
              latestProgress.set(id, step.percent)
          }
          assert.isAtMost(outbox.waiting, 6)
        }
        for (let rounds = 0; rounds < 10; rounds++) {
          now += PROGRESS_INTERVAL
          for (const message of drain(outbox, now)) sent.push({ message, now })
        }
        assert.strictEqual(outbox.waiting, 0)
        // Every export's last state and last progress arrived.
        const told = new Map<ExportId, string>()
        const toldProgress = new Map<ExportId, number>()
        let cursor = 0
        const progressTimes = new Map<ExportId, number>()
        for (const { message, now } of sent) {
          if (message.type === "state" || message.type === "gone") {
            told.set(
              message.type === "state" ? message.export.id : message.exportId,
              message.type === "state" ? message.export.status : "gone"
            )
            const at = Number(message.cursor.slice(2))
            assert.isAbove(at, cursor)
            cursor = at
          }
          if (message.type === "progress") {
            toldProgress.set(message.exportId, message.progress.percent)
            const before = progressTimes.get(message.exportId)
            if (before !== undefined && told.get(message.exportId) === undefined)
              assert.isAtLeast(now - before, PROGRESS_INTERVAL)
            progressTimes.set(message.exportId, now)
          }
        }
        assert.deepStrictEqual(told, latest)
        for (const [id, percent] of latestProgress) assert.strictEqual(toldProgress.get(id), percent)
      })
    )
  })

  it("does not let notes pile up", () => {
    const outbox = new Outbox()
    let taken = 0
    while (taken < 1000 && outbox.offerNote({ type: "ping" })) taken++
    assert.isBelow(taken, 100)
    assert.strictEqual(drain(outbox, 0).length, taken)
  })

  it("forgets times of progress that matter no more", () => {
    const outbox = new Outbox()
    outbox.start([])
    for (let i = 0; i < 5000; i++) {
      outbox.offerProgress(newId(ExportId), aProgress())
      assert.strictEqual(drain(outbox, i * PROGRESS_INTERVAL).length, 1)
    }
    assert.strictEqual(outbox.waiting, 0)
  })
})

describe("positions", () => {
  it("survive being a cursor, whatever the incarnation looks like", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), (incarnation, sequence) => {
        assert.deepStrictEqual(positionOf(cursorOf({ incarnation, sequence })), { incarnation, sequence })
      })
    )
    for (const nonsense of ["", ":", ":5", "a:", "a:-1", "a:1.5", "a:99999999999999999", 5, null, undefined]) {
      assert.isNull(positionOf(nonsense))
    }
  })

  it("have a time as long as their events are remembered", () => {
    const history = new History()
    history.begin({ incarnation: "a", sequence: 10 })
    assert.isNull(history.timeOf({ incarnation: "a", sequence: 10 }))
    for (const sequence of [11, 12, 15, 16]) history.record("a", sequence, sequence * 1000)
    assert.strictEqual(history.timeOf({ incarnation: "a", sequence: 12 }), 12_000)
    assert.strictEqual(history.timeOf({ incarnation: "a", sequence: 14 }), 12_000)
    assert.strictEqual(history.timeOf({ incarnation: "a", sequence: 16 }), 16_000)
    for (const sequence of [0, 10, 17]) assert.isNull(history.timeOf({ incarnation: "a", sequence }))
    assert.isNull(history.timeOf({ incarnation: "b", sequence: 12 }))
    history.record("b", 1, 99_000)
    assert.isNull(history.timeOf({ incarnation: "a", sequence: 12 }))
    assert.strictEqual(history.timeOf({ incarnation: "b", sequence: 1 }), 99_000)
    for (let sequence = 2; sequence < 50_000; sequence++) history.record("b", sequence, sequence)
    assert.isNull(history.timeOf({ incarnation: "b", sequence: 100 }))
    assert.strictEqual(history.timeOf({ incarnation: "b", sequence: 49_000 }), 49_000)
  })
})
