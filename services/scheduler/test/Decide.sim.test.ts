import { assert, describe, it } from "@effect/vitest"
import type { FailureKind } from "@reelay/contracts/messages/Messages"
import fc from "fast-check"
import type { Class } from "../src/FairQueue.ts"
import { World } from "./World.ts"
import type { Faults } from "./World.ts"

/** One thing that happens, and a number that says to whom. */
const HAPPENINGS = [
  "submit",
  "submit",
  "ring",
  "turn",
  "turn",
  "turn",
  "turn",
  "async",
  "async",
  "async",
  "pull",
  "pull",
  "finish",
  "finish",
  "result",
  "result",
  "calm",
  "calm",
  "calm",
  "tick",
  "survey",
  "look",
  "repeat",
  "stall",
  "cancel",
  "retry",
  "kill",
  "restart",
  "wipe",
  "silent",
  "fail",
  "pause",
  "revive",
  "progress",
  "evict"
] as const
type Happening = (typeof HAPPENINGS)[number]

const KINDS: ReadonlyArray<FailureKind> = ["input", "encoder", "resource", "storage", "timeout", "internal", "smartcut"]

const pick = <A>(all: ReadonlyArray<A>, n: number): A | undefined => all[n % Math.max(1, all.length)]

const happen = (world: World, happening: Happening, n: number): void => {
  const row = pick([...world.rows.values()], n)
  const node = pick(world.nodes, n)
  switch (happening) {
    case "submit": {
      const urgency: Class = n % 7 === 0 ? 0 : n % 5 === 0 ? 2 : 1
      if ([...world.rows.values()].filter((each) => each.status === "pending").length > 12) return
      const id = world.submit({
        user: `u${n % 3}`,
        chunks: 1 + (n % 5),
        urgency,
        content: `content${n % 11}`,
        labels: n % 13 === 0 ? ["big"] : [],
        smartCut: n % 2 === 0
      })
      if (n % 4 !== 0) world.ring(id)
      return
    }
    case "ring":
      return row && world.ring(row.id)
    case "turn":
      return world.turn(1 + (n % 20))
    case "calm":
      return world.calm(n)
    case "async":
      return world.async(n)
    case "pull":
      return void (node && world.pull(node))
    case "finish":
      return node && world.finish(node, n)
    case "silent":
      return node && world.finish(node, n, true)
    case "fail":
      return node && world.breakDown(node, n, pick(KINDS, n) ?? "internal")
    case "result":
      return world.takeResult(n)
    case "repeat":
      return world.repeatResult(n)
    case "tick":
      return world.tick(n % 5000)
    case "survey":
      return world.survey()
    case "look":
      return world.lookAround()
    case "stall":
      return node && world.stall(node)
    case "cancel":
      if (row === undefined || n % 3 !== 0) return
      world.cancel(row)
      if (n % 2 === 0) world.ring(row.id)
      else row.silent = true
      return
    case "retry":
      if (row === undefined) return
      world.retry(row)
      if (n % 2 === 0) world.ring(row.id)
      return
    case "kill":
      if (node !== undefined && n % 3 === 0) world.kill(node)
      return
    case "revive":
      if (node !== undefined) node.alive = true
      return
    case "restart":
      return n % 4 === 0 ? world.restart() : undefined
    case "wipe":
      return n % 3 === 0 ? world.wipe() : undefined
    case "evict":
      return world.evict(n)
    case "pause":
      world.paused = n % 3 === 0
      world.mailbox.push({ _tag: "Paused", paused: world.paused })
      return
    case "progress": {
      const running = pick(node?.running ?? [], n)
      if (running === undefined || node === undefined) return
      const { epoch, exportId, task } = running.message
      world.mailbox.push({
        _tag: "Progressed",
        progress: { v: 1, exportId, epoch, task, nodeId: node.id, frames: n % 31, speed: n % 2 === 0 ? null : 1.5 }
      })
    }
  }
}

/** More of everything in the long run. */
const RUNS = process.env["LONG"] === "1" ? 20 : 1

const script = (happenings: ReadonlyArray<Happening>, length: number) =>
  fc.array(fc.tuple(fc.constantFrom(...happenings), fc.nat(1000)), { minLength: 20, maxLength: length, size: "max" })

const play = (steps: ReadonlyArray<readonly [Happening, number]>, faults: Faults): World => {
  const world = new World()
  world.faults = faults
  world.addNode("a", 2)
  world.addNode("b", 1, ["nvenc", "software"], ["big"])
  world.addNode("c", 3, ["software"], ["big"])
  world.restart()
  for (const [happening, n] of steps) happen(world, happening, n)
  world.paused = false
  world.mailbox.push({ _tag: "Paused", paused: false })
  for (const node of world.nodes) node.alive = true
  world.faults = { losePublish: 0, loseAnswer: 0 }
  world.tidy()
  world.settle()
  return world
}

const without = (...excluded: ReadonlyArray<Happening>): ReadonlyArray<Happening> =>
  HAPPENINGS.filter((each) => !excluded.includes(each))

describe("decide, simulated", () => {
  it("without faults: every export completes with one start and one end", () => {
    fc.assert(
      fc.property(
        script(
          ["submit", "turn", "async", "pull", "finish", "result", "calm", "tick", "survey", "look", "progress"],
          200
        ),
        (steps) => {
          const world = play(steps, { losePublish: 0, loseAnswer: 0 })
          world.judge({ failures: false, restarts: false })
          for (const row of world.rows.values()) assert.strictEqual(row.writes, 3, `writes of ${row.id}`)
          const again = world.commands.filter((command) => command._tag === "Dispatch" && command.again)
          assert.strictEqual(again.length, 0, "nothing is dispatched twice")
        }
      ),
      { endOnFailure: process.env["SHRINK"] !== "1", numRuns: 40 * RUNS }
    )
  })

  it("whatever finished work is given up meanwhile, needed or not: every export completes", () => {
    fc.assert(
      fc.property(script(without("fail", "cancel", "retry"), 400), (steps) => {
        play(steps, { losePublish: 0, loseAnswer: 0 }).judge({ failures: false, restarts: true })
      }),
      { endOnFailure: process.env["SHRINK"] !== "1", numRuns: 40 * RUNS }
    )
  })

  it("with restarts, lost messages, wiped streams, dying nodes: every export completes", () => {
    fc.assert(
      fc.property(script(without("fail", "cancel", "retry", "evict"), 400), (steps) => {
        play(steps, { losePublish: 7, loseAnswer: 9 }).judge({ failures: false, restarts: true })
      }),
      { endOnFailure: process.env["SHRINK"] !== "1", numRuns: 40 * RUNS }
    )
  })

  it("with cancels, retries and failures of every kind besides: each ends once, and nothing is left behind", () => {
    fc.assert(
      fc.property(script(HAPPENINGS, 500), (steps) => {
        play(steps, { losePublish: 11, loseAnswer: 13 }).judge({ failures: true, restarts: true })
      }),
      { endOnFailure: process.env["SHRINK"] !== "1", numRuns: 50 * RUNS }
    )
  })

  it("whoever listened knows how each export ended, as long as the scheduler lived", () => {
    fc.assert(
      fc.property(script(without("restart"), 400), (steps) => {
        play(steps, { losePublish: 11, loseAnswer: 13 }).judge({ failures: true, restarts: false })
      }),
      { endOnFailure: process.env["SHRINK"] !== "1", numRuns: 30 * RUNS }
    )
  })
})
