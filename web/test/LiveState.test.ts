import { assert, describe, it } from "@effect/vitest"
import { type Export, isTerminal, PAUSED, type Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { DateTime } from "effect"
import * as fc from "fast-check"
import { type ExportView, shownIds, viewOf } from "../src/state/ExportView.ts"
import { type Action, empty, knownRows, type LiveEvent, type LiveState, reduce } from "../src/state/LiveState.ts"
import { idOf, progress, row } from "./Rows.ts"

const play = (events: ReadonlyArray<LiveEvent>, from: LiveState = empty): LiveState => events.reduce(reduce, from)
const view = (state: LiveState, id: ExportId): ExportView | null => {
  const entry = state.entries.get(id)
  return entry === undefined ? null : viewOf(entry)
}
const seen = (state: LiveState, id: ExportId): ExportView => {
  const found = view(state, id)
  assert.isNotNull(found)
  return found as ExportView
}
const rows = (...exports: ReadonlyArray<Export>): LiveEvent => ({ type: "rows", exports })
const said = (p: Progress, n = 1): LiveEvent => ({ type: "progress", exportId: idOf(n), progress: p })

/** What a server lives through with one export: what it would say at each step, and whether it still has it. */
interface Step {
  readonly row: Export | null
  readonly heard: LiveEvent
}
interface Move {
  readonly kind: "start" | "replan" | "complete" | "fail" | "cancel" | "retry" | "progress" | "delete"
  readonly wait: number
  readonly back: number
  readonly percent: number
  readonly speed: number | null
}
const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom(
    "start",
    "start",
    "replan",
    "complete",
    "fail",
    "cancel",
    "retry",
    "progress",
    "progress",
    "progress",
    "delete"
  ),
  wait: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9000 })),
  /** Postgres' clock, set back: a new epoch must win all the same. */
  back: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20_000 })),
  percent: fc.integer({ min: 0, max: 100 }),
  speed: fc.option(fc.integer({ min: 1, max: 50 }))
})

/** Only legal moves happen; percent within an epoch may fall here, as it does when another scheduler takes over. */
const live = (n: number, moves: ReadonlyArray<Move>): ReadonlyArray<Step> => {
  const created = n * 10
  let now = created
  let epoch = 0
  let started = now
  let current: Export | null = row({ n, created })
  const steps: Array<Step> = [{ row: current, heard: rows(current) }]
  const become = (status: Export["status"]) => {
    current = row({ n, created, updated: now, epoch, status })
    steps.push({ row: current, heard: rows(current) })
  }
  for (const { kind, wait, back, percent, speed } of moves) {
    if (current === null) break
    now += wait
    const status: Export["status"] = current.status
    if ((kind === "start" && status === "pending") || (kind === "replan" && status === "processing")) {
      epoch += 1
      now -= back
      started = now
      become("processing")
    } else if (
      (kind === "complete" && status === "processing")
      || ((kind === "fail" || kind === "cancel") && !isTerminal(status))
    ) {
      // An UPDATE that waited for another's row lock carries the instant at which it began to wait.
      if (status === "processing") now -= back
      become(kind === "complete" ? "completed" : kind === "fail" ? "failed" : "cancelled")
    } else if (kind === "retry" && (status === "failed" || status === "cancelled")) become("pending")
    else if (kind === "progress" && status === "processing") {
      const p = progress({ epoch, percent, speed, elapsed: Math.floor((now - started) / 100) / 10 })
      steps.push({ row: current, heard: said(p, n) })
    } else if (kind === "delete" && isTerminal(status)) {
      current = null
      steps.push({ row: null, heard: { type: "gone", exportId: idOf(n) } })
    }
  }
  return steps
}

interface World {
  readonly histories: ReadonlyArray<ReadonlyArray<Step>>
  readonly events: ReadonlyArray<LiveEvent>
}
/** Several exports' lives, with lists and snapshots taken in between, as one bag of messages. */
const world: fc.Arbitrary<World> = fc
  .record({
    lives: fc.array(fc.array(move, { maxLength: 14 }), { minLength: 1, maxLength: 4 }),
    looks: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        limit: fc.integer({ min: 0, max: 4 }),
        known: fc.integer()
      }),
      {
        maxLength: 4
      }
    )
  })
  .map(({ lives, looks }) => {
    const histories = lives.map((moves, i) => live(i + 1, moves))
    const lists = looks.map(({ at, limit, known }): LiveEvent => {
      const now = histories.map((steps) => steps[Math.floor(at * (steps.length - 1))] as Step)
      const there = now.flatMap((step) => (step.row === null ? [] : [step.row])).toReversed()
      return {
        type: "listed",
        exports: there.slice(0, limit),
        complete: limit >= there.length,
        // A page can only have known what was there before it asked.
        known: new Map(
          histories.flatMap((steps, i) =>
            (known >> i) & 1
              ? [[idOf(i + 1), DateTime.toEpochMillis((steps[0] as Step & { row: Export }).row.createdAt)]]
              : []
          )
        )
      }
    })
    return { histories, events: [...histories.flatMap((steps) => steps.map((step) => step.heard)), ...lists] }
  })

/** The same messages, each at least once, in any order. */
const delivered = (events: ReadonlyArray<LiveEvent>): fc.Arbitrary<ReadonlyArray<LiveEvent>> =>
  fc.array(fc.nat({ max: events.length - 1 }), { maxLength: 10 }).chain((again) =>
    fc.shuffledSubarray([...events, ...again.map((i) => events[i] as LiveEvent)], {
      minLength: events.length + again.length
    })
  )

const lived = world.chain((w) => delivered(w.events).map((order) => ({ ...w, order })))

describe("any order, any number of times", () => {
  it("never walks backwards", () => {
    fc.assert(
      fc.property(lived, ({ histories, order }) => {
        let state = empty
        const before = new Map<ExportId, ExportView | null>()
        for (const event of order) {
          state = reduce(state, event)
          for (const [i] of histories.entries()) {
            const id = idOf(i + 1)
            const now = view(state, id)
            const was = before.get(id) ?? null
            if (was !== null && now !== null) {
              assert.isAtLeast(now.epoch, was.epoch)
              if (now.epoch === was.epoch && now.status === "processing") {
                assert.strictEqual(was.status === "processing" || was.status === "pending", true)
                if (was.status === "processing") assert.isAtLeast(now.percent, was.percent)
              }
            }
            if (state.gone.has(id)) assert.isNull(now)
            before.set(id, now)
          }
        }
      }),
      { numRuns: 400 }
    )
  })

  it("ends at the truth", () => {
    fc.assert(
      fc.property(lived, ({ histories, order }) => {
        const state = play(order)
        for (const [i, steps] of histories.entries()) {
          const id = idOf(i + 1)
          const last = (steps.at(-1) as Step).row
          if (last === null) {
            assert.isNull(view(state, id))
            assert.notInclude(shownIds(state), id)
            continue
          }
          const shown = seen(state, id)
          assert.strictEqual(shown.status, last.status)
          assert.strictEqual(shown.epoch, last.epoch)
          const best = steps.flatMap(({ heard }) =>
            heard.type === "progress" && heard.progress.epoch === last.epoch ? [heard.progress.percent] : []
          )
          const percent = last.status === "completed" ? 100 : last.status === "processing" ? Math.max(0, ...best) : 0
          assert.strictEqual(shown.percent, percent)
        }
      }),
      { numRuns: 400 }
    )
  })

  it("is the same wherever two pages heard the same", () => {
    fc.assert(
      fc.property(
        world.chain((w) => fc.tuple(delivered(w.events), delivered(w.events), fc.constant(w.histories.length))),
        ([one, other, count]) => {
          const [a, b] = [play(one), play(other)]
          for (let n = 1; n <= count; n++) assert.deepStrictEqual(view(a, idOf(n)), view(b, idOf(n)))
          assert.deepStrictEqual(shownIds(a), shownIds(b))
        }
      ),
      { numRuns: 300 }
    )
  })

  it("answers the same object when it heard nothing new", () => {
    fc.assert(
      fc.property(lived, ({ order }) => {
        const state = play(order)
        // A last word on the queue may come again and change nothing; everything else was joined already.
        for (const event of order) assert.strictEqual(reduce(state, event), state)
      })
    )
  })

  it("shows the truth again once what was asked has been answered", () => {
    const action: fc.Arbitrary<LiveEvent> = fc.record({
      type: fc.constantFrom("asked" as const, "settled" as const),
      exportId: fc.integer({ min: 1, max: 4 }).map(idOf),
      action: fc.constantFrom<Action>("cancel", "retry", "delete")
    })
    fc.assert(
      fc.property(
        lived.chain((w) =>
          fc
            .array(fc.tuple(fc.nat({ max: w.order.length }), action), { maxLength: 8 })
            .map((actions) => ({ ...w, actions }))
        ),
        ({ order, actions, histories }) => {
          const mixed: Array<LiveEvent> = [...order]
          for (const [at, event] of actions) mixed.splice(at, 0, event)
          const settled = histories.map((_, i): LiveEvent => ({ type: "settled", exportId: idOf(i + 1) }))
          const [a, b] = [play([...mixed, ...settled]), play(order)]
          for (const [i] of histories.entries()) assert.deepStrictEqual(view(a, idOf(i + 1)), view(b, idOf(i + 1)))
        }
      ),
      { numRuns: 300 }
    )
  })
})

describe("what is shown", () => {
  const running = row({ epoch: 1, status: "processing", updated: 10 })

  it("keeps the highest percent of an epoch and the latest speed and ETA", () => {
    const state = play([
      rows(running),
      said(progress({ epoch: 1, percent: 60, elapsed: 10, speed: 3, eta: 8 })),
      said(progress({ epoch: 1, percent: 40, elapsed: 12, speed: 1, eta: 20 }))
    ])
    const shown = seen(state, idOf(1))
    assert.deepStrictEqual([shown.percent, shown.speed, shown.etaSeconds], [60, 1, 20])
  })

  it("starts over with a new epoch, even before the row says so", () => {
    const state = play([
      rows(running),
      said(progress({ epoch: 1, percent: 90, elapsed: 10 })),
      said(progress({ epoch: 2, percent: 3, elapsed: 0, stage: "preparing" }))
    ])
    const shown = seen(state, idOf(1))
    assert.deepStrictEqual([shown.epoch, shown.percent, shown.stage, shown.status], [2, 3, "preparing", "processing"])
  })

  it("shows nothing of the old run while a retried export waits", () => {
    const state = play([
      rows(running),
      said(progress({ epoch: 1, percent: 90, elapsed: 10 })),
      rows(row({ epoch: 1, status: "failed", updated: 20 })),
      rows(row({ epoch: 1, status: "pending", updated: 30, queuePosition: 3 }))
    ])
    const shown = seen(state, idOf(1))
    assert.deepStrictEqual([shown.status, shown.percent, shown.stage], ["pending", 0, "queued"])
    assert.strictEqual(shown.waiting, "Number 3 in the queue")
  })

  it("takes what it waits for from rows and from progress, whichever spoke last", () => {
    const waiting = row({ queuePosition: 4 })
    const waits = { epoch: 0, percent: 0, status: "pending", stage: "queued", queuePosition: 2 } as const
    const word = said(progress(waits))
    assert.strictEqual(seen(play([rows(waiting), word]), idOf(1)).waiting, "Number 2 in the queue")
    assert.strictEqual(seen(play([word, rows(waiting)]), idOf(1)).waiting, "Number 4 in the queue")
    const paused = row({ queuePosition: 4, paused: true })
    assert.strictEqual(seen(play([word, rows(paused)]), idOf(1)).waiting, PAUSED)
    assert.strictEqual(seen(play([rows(paused), word]), idOf(1)).waiting, "Number 2 in the queue")
    const obstructed = { ...waits, message: "Waiting for an encoder for av1" }
    assert.strictEqual(seen(play([rows(waiting), said(progress(obstructed))]), idOf(1)).waiting, obstructed.message)
    assert.strictEqual(seen(play([rows(row({ progress: obstructed }))]), idOf(1)).waiting, obstructed.message)
  })

  it("does not call it done before its row does", () => {
    const state = play([rows(running), said(progress({ epoch: 1, percent: 100, stage: "done", status: "completed" }))])
    const shown = seen(state, idOf(1))
    assert.deepStrictEqual([shown.status, shown.stage, shown.percent], ["processing", "finishing", 100])
  })

  it("shows what was asked at once and takes it back when it was refused", () => {
    const asked = play([rows(running), { type: "asked", exportId: idOf(1), action: "cancel" }])
    assert.strictEqual(seen(asked, idOf(1)).status, "cancelled")
    const refused = reduce(asked, { type: "settled", exportId: idOf(1) })
    assert.strictEqual(seen(refused, idOf(1)).status, "processing")
  })

  it("lets a finish win over a cancel that came too late", () => {
    const state = play([
      rows(running),
      { type: "asked", exportId: idOf(1), action: "cancel" },
      rows(row({ epoch: 1, status: "completed", updated: 20 }))
    ])
    assert.strictEqual(seen(state, idOf(1)).status, "completed")
  })

  it("hides what is being deleted and brings it back when that fails", () => {
    const done = row({ epoch: 1, status: "completed", updated: 20 })
    const asked = play([rows(done), { type: "asked", exportId: idOf(1), action: "delete" }])
    assert.deepStrictEqual(shownIds(asked), [])
    assert.deepStrictEqual(shownIds(reduce(asked, { type: "settled", exportId: idOf(1) })), [idOf(1)])
  })

  it("learns from a list what was deleted elsewhere, within the list's reach only", () => {
    const state = play([rows(row({ n: 1, created: 10 }), row({ n: 2, created: 20 }), row({ n: 3, created: 30 }))])
    const known = knownRows(state)
    const newest = reduce(state, {
      type: "listed",
      exports: [row({ n: 3, created: 30 }), row({ n: 4, created: 25 })],
      complete: false,
      known
    })
    assert.deepStrictEqual(shownIds(newest), [idOf(3), idOf(4), idOf(2), idOf(1)])
    // Made later by Postgres' clock, yet sorted below by its id: out of this list's reach.
    const odd = reduce(state, { type: "listed", exports: [row({ n: 2, created: 5 })], complete: false, known })
    assert.deepStrictEqual(shownIds(odd), [idOf(2), idOf(1)])
    const whole = reduce(newest, { type: "listed", exports: [row({ n: 3, created: 30 })], complete: true, known })
    // The fourth was not known when this list was asked for, so its absence says nothing.
    assert.deepStrictEqual(shownIds(whole), [idOf(3), idOf(4)])
  })

  it("stands newest first", () => {
    const state = play([rows(row({ n: 2, created: 20 }), row({ n: 1, created: 10 }), row({ n: 3, created: 30 }))])
    assert.deepStrictEqual(shownIds(state), [idOf(3), idOf(2), idOf(1)])
  })
})
