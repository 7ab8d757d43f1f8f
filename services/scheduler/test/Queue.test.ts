import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { admit, count, dequeue, leave, newJob, queue, queueOrder } from "../src/Admission.ts"
import { FairQueue } from "../src/FairQueue.ts"
import type { Class, Share, Waiting } from "../src/FairQueue.ts"
import { Heap } from "../src/Heap.ts"
import { initial } from "../src/State.ts"
import type { Job } from "../src/State.ts"
import type { Turn } from "../src/Turn.ts"
import { exportId, user } from "./fixtures.ts"
import { POLICY } from "./World.ts"

describe("Heap", () => {
  it("gives back in order, whatever is added, taken out or moved in between", () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant("add" as const), which: fc.nat(30), rank: fc.nat(100) }),
      fc.record({ what: fc.constant("remove" as const), which: fc.nat(30), rank: fc.constant(0) }),
      fc.record({ what: fc.constant("move" as const), which: fc.nat(30), rank: fc.nat(100) })
    )
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 300 }), (steps) => {
        const items = Array.from({ length: 31 }, (_, n) => ({ n, rank: 0 }))
        const order = (a: { n: number; rank: number }, b: { n: number; rank: number }) => a.rank - b.rank || a.n - b.n
        const heap = new Heap<(typeof items)[number]>((a, b) => order(a, b) < 0)
        const model = new Set<(typeof items)[number]>()
        for (const { rank, what, which } of steps) {
          const item = items[which]
          if (item === undefined) continue
          if (what === "remove") assert.strictEqual(heap.remove(item), model.delete(item))
          else if (what === "add" || model.has(item)) {
            item.rank = rank
            model.add(item)
            if (what === "add") heap.add(item)
            else heap.moved(item)
          }
          assert.strictEqual(heap.size, model.size)
          assert.strictEqual(heap.peek(), [...model].toSorted(order)[0])
        }
      })
    )
  })
})

describe("FairQueue", () => {
  it("is what sorting by class, share and order says", () => {
    const item = fc.record({
      user: fc.constantFrom("a", "b", "c"),
      urgency: fc.constantFrom<Class>(0, 1, 2),
      order: fc.nat(50)
    })
    fc.assert(
      fc.property(
        fc.array(item, { size: "max", maxLength: 60 }),
        fc.array(fc.nat(2), { maxLength: 60 }),
        (given, bumps) => {
          const shares = new Map<string, Share>(["a", "b", "c"].map((name, turn) => [name, { load: 0, turn }]))
          const shareOf = (name: string): Share => {
            const share = shares.get(name)
            return share ?? assert.fail(`no share of ${name}`)
          }
          const waiting = new FairQueue<Waiting>(shareOf)
          const left = new Set<Waiting>(
            given.map((each, n) => ({ ...each, user: user(each.user), order: each.order * 100 + n }))
          )
          for (const each of left) waiting.add(each)
          let turn = 10
          let bump = 0
          while (left.size > 0) {
            const best = [...left].toSorted(
              (x, y) =>
                x.urgency - y.urgency
                || shareOf(x.user).load - shareOf(y.user).load
                || shareOf(x.user).turn - shareOf(y.user).turn
                || x.order - y.order
            )[0]
            const first = waiting.first()
            assert.strictEqual(first, best)
            if (first === undefined) break
            waiting.remove(first)
            left.delete(first)
            const share = shareOf(first.user)
            share.load += bumps[bump++] ?? 1
            share.turn = turn++
            waiting.moved(first.user)
          }
          assert.strictEqual(waiting.size, 0)
        }
      )
    )
  })
})

const aTurn = (): Turn => {
  const state = initial(
    { ...POLICY, maxActive: 1_000_000, maxActivePerUser: 1_000_000 },
    { seed: "00000001", wallOffset: 0 }
  )
  state.paused = false
  return { state, now: 0, commands: [] }
}

const waitingJob = (turn: Turn, n: number, name: string, urgency: Class): Job => {
  const job = newJob(
    turn,
    {
      id: exportId(n),
      user: user(name),
      status: "pending",
      epoch: 0,
      urgency,
      codec: "h264",
      labels: [],
      frames: 1,
      changedMillis: n,
      noSmartCut: false
    },
    "pending"
  )
  queue(turn, job)
  return job
}

describe("the order of the queue", () => {
  it("is the order in which exports begin when nothing that runs ends", () => {
    const given = fc.record({ user: fc.constantFrom("a", "b", "c", "d"), urgency: fc.constantFrom<Class>(0, 1, 2) })
    fc.assert(
      fc.property(
        fc.array(given, { size: "max", maxLength: 60 }),
        fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 12 }),
        (waiting, running) => {
          const turn = aTurn()
          const { state } = turn
          running.forEach((name, n) => {
            const job = waitingJob(turn, 1000 + n, name, 1)
            dequeue(turn, job)
            job.phase = "running"
            count(turn, job)
          })
          waiting.forEach((each, n) => waitingJob(turn, n, each.user, each.urgency))
          const said = queueOrder(state, 5000).map((job) => job.id)
          const begun: Array<string> = []
          for (;;) {
            const job = [...state.lanes.values()].map((lane) => lane.queue.first()).find((first) => first !== undefined)
            if (job === undefined) break
            dequeue(turn, job)
            job.phase = "running"
            count(turn, job)
            begun.push(job.id)
          }
          assert.deepStrictEqual(said, begun)
          assert.deepStrictEqual(queueOrder(state, 5000), [])
        }
      )
    )
  })

  it("says no more than was asked for, and is quick with ten thousand of two hundred users", () => {
    const turn = aTurn()
    for (let n = 0; n < 10_000; n++) waitingJob(turn, n, `u${n % 200}`, n % 50 === 0 ? 0 : 1)
    const from = performance.now()
    assert.strictEqual(queueOrder(turn.state, 5000).length, 5000)
    assert.isBelow(performance.now() - from, 5000)
    const all = queueOrder(turn.state, 20_000)
    assert.strictEqual(new Set(all).size, 10_000)
    admit(turn)
    assert.isEmpty(
      turn.commands.filter((command) => command._tag === "Plan"),
      "nobody can do it"
    )
    for (const job of all) leave(turn, job)
    assert.strictEqual(turn.state.users.size, 0)
  })
})
