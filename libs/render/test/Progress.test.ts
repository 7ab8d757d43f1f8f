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
    assert.strictEqual(eta({ status: "completed" }), 0)
    assert.strictEqual(progressOf(input({ status: "failed" }), null).etaSeconds, null)
  })

  it("does not guess: not before its speed is known and has held for a while, nor while it stands still", () => {
    const eta = (change: Partial<ProgressInput>, previous: Progress | null = null) =>
      progressOf(input({ encodingBegan: true, framesTotal: 10_000, ...change }), previous)
    assert.isNull(eta({ framesDone: 250, elapsedSeconds: 10 }).etaSeconds)
    // At four times real time a hundred frames a second: two seconds' worth are little to go by.
    assert.isNull(eta({ framesDone: 200, speed: 4, elapsedSeconds: 60 }).etaSeconds)
    const first = eta({ framesDone: 300, speed: 4, elapsedSeconds: 61 })
    assert.strictEqual(first.etaSeconds, 97)
    assert.isNull(eta({ framesDone: 300, speed: 0, elapsedSeconds: 90 }, first).etaSeconds)
    // What was said once is not taken back for a leap of the speed.
    assert.isNotNull(eta({ framesDone: 310, speed: 40, elapsedSeconds: 61.5 }, first).etaSeconds)
  })

  it("an ETA runs down like a clock, leans towards the latest speed without leaping, and gets there", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ seconds: fc.double({ min: 0.5, max: 30, noNaN: true }), speed: fc.integer({ min: 1, max: 50 }) }),
          {
            minLength: 1,
            maxLength: 20
          }
        ),
        (steps) => {
          const at = (elapsedSeconds: number, framesDone: number, speed: number, previous: Progress | null) =>
            progressOf(
              input({ encodingBegan: true, framesTotal: 10_000_000, framesDone, speed, elapsedSeconds }),
              previous
            )
          let before = at(10, 20_000, 10, null)
          for (const { seconds, speed } of steps) {
            const elapsed = before.elapsedSeconds + seconds
            const now = at(elapsed, before.framesDone + Math.round(seconds * speed * 25), speed, before)
            const clock = (before.etaSeconds ?? NaN) - seconds
            const bySpeed = (now.framesTotal - now.framesDone) / (speed * 25)
            const said = now.etaSeconds ?? NaN
            assert.isAtLeast(said, Math.max(0, Math.min(clock, bySpeed) - 0.1))
            assert.isAtMost(said, Math.max(clock, bySpeed) + 0.1)
            if (seconds <= 1) assert.isAtMost(Math.abs(said - clock), Math.abs(bySpeed - clock) / 4 + 0.1)
            before = now
          }
          const settled = at(before.elapsedSeconds + 60, 5_000_000, 20, before)
          assert.closeTo(
            settled.etaSeconds ?? NaN,
            10_000,
            Math.max(1, Math.abs((before.etaSeconds ?? NaN) - 10_060) / 1000)
          )
        }
      )
    )
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
