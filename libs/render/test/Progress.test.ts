import { assert, describe, it } from "@effect/vitest"
import { PAUSED } from "@reelay/contracts/Export"
import type { Progress } from "@reelay/contracts/Export"
import fc from "fast-check"
import { type ProgressInput, progressOf } from "../src/Progress.ts"

const input = (change: Partial<ProgressInput> = {}): ProgressInput => ({
  epoch: 1,
  status: "processing",
  queuePosition: null,
  framesTotal: 1000,
  framesDone: 0,
  finishingDone: 0,
  finishingTotal: 3,
  encodingBegan: false,
  speed: null,
  elapsedSeconds: 0,
  frameRate: 25,
  ...change
})

describe("Progress", () => {
  it("walks through its stages", () => {
    const steps: ReadonlyArray<readonly [Partial<ProgressInput>, string, number]> = [
      [{ status: "pending", queuePosition: 3, epoch: 0 }, "queued", 0],
      [{ elapsedSeconds: 0 }, "preparing", 0],
      [{ elapsedSeconds: 5 }, "preparing", 5.6],
      [{ elapsedSeconds: 3600 }, "preparing", 9],
      [{ encodingBegan: true, framesDone: 0 }, "encoding", 10],
      [{ encodingBegan: true, framesDone: 500 }, "encoding", 50],
      [{ encodingBegan: true, framesDone: 1000 }, "finishing", 90],
      [{ encodingBegan: true, framesDone: 1000, finishingDone: 2 }, "finishing", 96.6],
      [{ encodingBegan: true, framesDone: 1000, finishingDone: 3 }, "finishing", 99.5],
      [{ status: "completed" }, "done", 100]
    ]
    for (const [change, stage, percent] of steps) {
      const progress = progressOf(input(change), null)
      assert.strictEqual(progress.stage, stage)
      assert.strictEqual(progress.percent, percent, stage)
    }
    const waits = input({ status: "pending", queuePosition: 3 })
    assert.deepInclude(progressOf(waits, null), { queuePosition: 3, message: "Number 3 in the queue" })
    assert.deepInclude(progressOf({ ...waits, paused: true }, null), {
      queuePosition: 3,
      paused: true,
      message: PAUSED
    })
    assert.notProperty(progressOf(input({ paused: true }), null), "paused")
  })

  it("tells when it will be done", () => {
    const eta = (change: Partial<ProgressInput>) =>
      progressOf(input({ encodingBegan: true, ...change }), null).etaSeconds
    assert.strictEqual(eta({ framesDone: 500, speed: 4 }), 5)
    assert.strictEqual(eta({ framesDone: 250, elapsedSeconds: 10 }), 30)
    assert.strictEqual(eta({ framesDone: 0, elapsedSeconds: 10 }), null)
    assert.strictEqual(eta({ status: "completed" }), 0)
    assert.strictEqual(progressOf(input({ status: "failed" }), null).etaSeconds, null)
  })

  it("stays where it was when the export fails or is cancelled, and is never 100 before the end", () => {
    const half = progressOf(input({ encodingBegan: true, framesDone: 500, speed: 2 }), null)
    for (const status of ["failed", "cancelled"] as const) {
      const ended = progressOf(input({ status, framesDone: 0 }), half)
      assert.deepInclude(ended, {
        percent: half.percent,
        stage: "encoding",
        framesDone: 500,
        speed: null,
        etaSeconds: null
      })
    }
  })

  it("waits again after a retry", () => {
    const failed = progressOf(
      input({ status: "failed" }),
      progressOf(input({ encodingBegan: true, framesDone: 500 }), null)
    )
    assert.strictEqual(progressOf(input({ status: "pending", queuePosition: 1 }), failed).stage, "queued")
  })

  const inputs = fc.record({
    epoch: fc.constantFrom(1, 2),
    status: fc.constantFrom("processing" as const, "completed" as const, "failed" as const, "cancelled" as const),
    queuePosition: fc.constant(null),
    framesTotal: fc.constantFrom(1, 1000),
    framesDone: fc.nat(1200),
    finishingDone: fc.nat(4),
    finishingTotal: fc.nat(4),
    encodingBegan: fc.boolean(),
    speed: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    elapsedSeconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
    frameRate: fc.constantFrom(25, 29.97)
  })

  it("never falls within an epoch, and reaches 100 exactly when completed", () => {
    fc.assert(
      fc.property(fc.array(inputs, { maxLength: 30 }), (all) => {
        let previous: Progress | null = null
        for (const each of all) {
          const now: Progress = progressOf(each, previous)
          assert.isAtLeast(now.percent, 0)
          assert.isAtMost(now.framesDone, now.framesTotal)
          if (each.status === "completed") assert.strictEqual(now.percent, 100)
          else if (previous === null || previous.epoch !== now.epoch) assert.isBelow(now.percent, 100)
          if (previous?.epoch === now.epoch) {
            assert.isAtLeast(now.percent, each.status === "completed" ? 100 : Math.min(previous.percent, 99.5))
          }
          previous = now
        }
      })
    )
  })
})
