import { assert, describe, it } from "@effect/vitest"
import { makeLane, type Ticket } from "@reelay/encoder/Lane"
import * as Slots from "@reelay/encoder/Slots"
import { Effect, Fiber } from "effect"
import * as fc from "fast-check"

describe("Slots", () => {
  type Command =
    | { readonly kind: "take" }
    | { readonly kind: "grow" | "release" | "giveUp"; readonly task: number; readonly weight: number }
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.constant<Command>({ kind: "take" }),
    fc.record({
      kind: fc.constantFrom("grow" as const, "release" as const, "giveUp" as const),
      task: fc.nat(7),
      weight: fc.integer({ min: 1, max: 6 })
    })
  )

  it("never carries more than it has, and whoever waits is served once the others are gone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(command, { maxLength: 60 }), (total, commands) => {
        let state = Slots.slots(total)
        const held = new Map<number, number>()
        const waiter: { current: { readonly task: number; readonly extra: number } | null } = { current: null }
        let next = 0
        const waitingTask = () => waiter.current?.task
        const grant = () => {
          const { granted, slots } = Slots.grant(state)
          state = slots
          if (!granted || waiter.current === null) return
          held.set(waiter.current.task, (held.get(waiter.current.task) ?? 0) + waiter.current.extra)
          waiter.current = null
        }
        const release = (task: number) => {
          state = Slots.release(state, held.get(task) ?? 0)
          held.delete(task)
          if (waiter.current?.task === task) {
            state = Slots.giveUp(state)
            waiter.current = null
          }
          grant()
        }
        for (const one of commands) {
          if (one.kind === "take") {
            const taken = Slots.take(state)
            assert.strictEqual(taken !== null, Slots.isFree(state))
            if (taken !== null) {
              state = taken
              held.set(next++, 1)
            }
          } else if (held.has(one.task)) {
            if (one.kind === "grow" && held.get(one.task) === 1 && waiter.current?.task !== one.task) {
              const extra = Slots.extraFor(state, one.weight)
              const { answer, slots } = Slots.grow(state, extra)
              state = slots
              if (answer === "has") held.set(one.task, 1 + extra)
              if (answer === "waits") waiter.current = { task: one.task, extra }
            }
            if (one.kind === "release") release(one.task)
          }
          const sum = [...held.values()].reduce((a, b) => a + b, 0)
          assert.strictEqual(state.busy, sum)
          assert.isAtMost(sum, total)
          assert.strictEqual(state.wanted > 0, waiter.current !== null)
        }
        const others = [...held.keys()].filter((task) => task !== waitingTask())
        for (const task of others) release(task)
        assert.strictEqual(state.wanted, 0)
      })
    )
  })
})

describe("Slots that become fewer", () => {
  it("let what runs go on, and a heavy task that waits have all that is left once it is alone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 0, max: 8 }), fc.nat(8), (total, fewer, others) => {
        let state = Slots.slots(total)
        for (let n = 0; n <= Math.min(others, total - 1); n++) state = Slots.take(state) ?? state
        state = Slots.grow(state, Slots.extraFor(state, total)).slots
        state = Slots.resize(state, fewer)
        assert.strictEqual(state.total, Math.max(1, fewer))
        while (state.wanted > 0) {
          const { granted, slots } = Slots.grant(state)
          assert.isTrue(granted || state.busy > 1)
          state = granted ? slots : Slots.release(state, 1)
        }
      })
    )
  })
})

describe("Lane", () => {
  const taken = (ticket: Ticket | null): Ticket => {
    if (ticket === null) throw new Error("there should be a slot")
    return ticket
  }

  it.live("lets a heavy task wait, and nothing new in before it", () =>
    Effect.gen(function* () {
      const lane = yield* makeLane(2)
      const light = taken(yield* lane.take)
      const heavy = taken(yield* lane.take)
      assert.isNull(yield* lane.take)
      const growing = yield* Effect.forkChild(lane.grow(heavy, 2), { startImmediately: true })
      yield* lane.release(light)
      assert.isTrue(yield* Fiber.join(growing))
      assert.strictEqual(heavy.held, 2)
      assert.isNull(yield* lane.take)
      yield* lane.release(heavy)
      assert.deepStrictEqual(yield* lane.slots, { total: 2, busy: 0, wanted: 0 })
    })
  )

  it.live("refuses a second one that would wait, and forgets one that was stopped", () =>
    Effect.gen(function* () {
      const lane = yield* makeLane(2)
      const a = taken(yield* lane.take)
      const b = taken(yield* lane.take)
      const growing = yield* Effect.forkChild(lane.grow(a, 4), { startImmediately: true })
      assert.isFalse(yield* lane.grow(b, 2))
      yield* Fiber.interrupt(growing)
      yield* lane.release(a)
      assert.deepStrictEqual(yield* lane.slots, { total: 2, busy: 1, wanted: 0 })
      yield* lane.free
    })
  )

  it.live("carries more when there is more, and opens its door", () =>
    Effect.gen(function* () {
      const lane = yield* makeLane(1)
      taken(yield* lane.take)
      yield* lane.full
      yield* lane.resize(2)
      yield* lane.free
      taken(yield* lane.take)
      yield* lane.resize(1)
      assert.deepStrictEqual(yield* lane.slots, { total: 1, busy: 2, wanted: 0 })
      yield* lane.full
    })
  )

  it.live("closed, it takes nothing and its door is shut", () =>
    Effect.gen(function* () {
      const lane = yield* makeLane(1)
      yield* lane.setOpen(false)
      assert.isNull(yield* lane.take)
      yield* lane.full
      yield* lane.setOpen(true)
      yield* lane.free
      taken(yield* lane.take)
      yield* lane.full
    })
  )
})
