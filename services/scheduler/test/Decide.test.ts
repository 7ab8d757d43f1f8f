import { assert, describe, it } from "@effect/vitest"
import { AttemptId, NodeId } from "@reelay/contracts/Ids"
import type { FailureKind } from "@reelay/contracts/messages/Messages"
import { lightPool, videoPool } from "@reelay/contracts/Plan"
import { Schema } from "effect"
import { decide } from "../src/Decide.ts"
import type { Command, Event } from "../src/Events.ts"
import { backoff, remedyFor } from "../src/Failures.ts"
import { initial } from "../src/State.ts"
import { slotsWanted } from "../src/Tasks.ts"
import { advertisementOf, BUILD, manifestOf, SECOND_BUILD } from "./fixtures.ts"
import { World } from "./World.ts"
import type { SimNode } from "./World.ts"

const SOFTWARE = videoPool("software", "h264", BUILD)

const aWorld = (...nodes: ReadonlyArray<readonly [string, number]>): World => {
  const world = new World({ maxActive: 100, maxActivePerUser: 3 })
  for (const [name, slots] of nodes) world.addNode(name, slots)
  world.restart()
  world.tick(1)
  world.drain()
  return world
}

const dispatched = (world: World) =>
  world.commands.filter((command) => command._tag === "Dispatch").map((command) => command.message)
const of = <Tag extends Command["_tag"]>(world: World, tag: Tag) =>
  world.commands.filter((command): command is Extract<Command, { readonly _tag: Tag }> => command._tag === tag)
const rowOf = (world: World, id: string) =>
  [...world.rows.values()].find((row) => row.id === id) ?? assert.fail("no row")
const submit = (world: World, options: Parameters<World["submit"]>[0]) => {
  const id = world.submit(options)
  world.ring(id)
  world.drain()
  return id
}
const pullChunk = (world: World, node: SimNode) =>
  assert.isTrue(
    world.pull(node, (task) => !task.pool.startsWith("light")),
    `${node.id} finds a chunk to do`
  )
const finish = (world: World, node: SimNode) => {
  pullChunk(world, node)
  world.finish(node, 0)
  world.drain()
}
const fail = (world: World, node: SimNode, kind: FailureKind) => {
  pullChunk(world, node)
  world.breakDown(node, 0, kind)
  world.drain()
}

describe("what is said of an export", () => {
  it("how far it is: twice a second at most, and not before it has run for a while", () => {
    const world = aWorld(["a", 2])
    submit(world, { user: "u", chunks: 4 })
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    pullChunk(world, node)
    const [task] = node.running
    if (task === undefined) return assert.fail()
    const { epoch, exportId, task: key } = task.message
    const [begun, saidAt] = [world.now, new Array<number>()]
    for (let frames = 1; frames <= 30; frames++) {
      world.mailbox.push({
        _tag: "Progressed",
        progress: { v: 1, exportId, epoch, task: key, nodeId: node.id, frames, speed: 1 }
      })
      const before = of(world, "Report").length
      world.tick(100)
      world.drain()
      if (of(world, "Report").length > before) saidAt.push(world.now - begun)
    }
    assert.deepStrictEqual(saidAt, [500, 1000, 1500, 2000, 2500, 3000])
  })
})

describe("what is said of the queue", () => {
  it("that operators paused it, as soon as it is known and only then", () => {
    const world = aWorld()
    const said = () => of(world, "SayOrder").map(({ paused }) => paused)
    const [, first] = decide(initial(world.policy, { seed: "00000001", wallOffset: 0 }), { _tag: "Tick" }, 1000)
    assert.isUndefined(
      first.find(({ _tag }) => _tag === "SayOrder"),
      "nothing before it is known"
    )
    world.commands.length = 0
    for (const paused of [true, false]) {
      world.mailbox.push({ _tag: "Paused", paused })
      world.tick(1000)
      world.drain()
    }
    assert.deepStrictEqual(said(), [true, false])
  })
})

describe("whose turn it is", () => {
  it("a user who comes late does not wait behind another's hundred", () => {
    const world = aWorld(["a", 2])
    for (let n = 0; n < 20; n++) submit(world, { user: "many", chunks: 3 })
    const late = submit(world, { user: "late", chunks: 3 })
    assert.strictEqual(rowOf(world, late).status, "processing")
    const [node] = world.nodes
    // The next slot that comes free is the latecomer's.
    if (node === undefined) return assert.fail()
    const before = dispatched(world).length
    finish(world, node)
    assert.include(
      dispatched(world)
        .slice(before)
        .map((task) => task.exportId),
      late
    )
  })

  it("within an export the longest chunks go out first", () => {
    const world = aWorld(["a", 1])
    world.ring(world.submit({ user: "u", chunks: 5 }))
    const lengths = [60, 200, 90, 200, 150]
    for (let i = 0; i < 10; i++) {
      while (world.asyncs.length > 0) world.async(0)
      world.mailbox = world.mailbox.map((event) => {
        if (event._tag !== "Planned") return event
        const tasks = event.plan.tasks.map((task, i) => ({ ...task, frames: lengths[i] ?? 0 }))
        return { ...event, plan: { ...event.plan, tasks } }
      })
      world.turn(world.mailbox.length)
    }
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    for (let n = 0; n < 5; n++) finish(world, node)
    const plan = world.commands.find((command) => command._tag === "Start")?.plan ?? assert.fail("no plan")
    const framesOf = (key: string) => plan.tasks.find((task) => task.key === key)?.frames
    const video = dispatched(world).filter((task) => task.pool === SOFTWARE)
    assert.deepStrictEqual(
      video.map((task) => framesOf(task.task)),
      [200, 200, 150, 90, 60]
    )
  })

  it("an urgent export overtakes chunks that wait, within its class first come, first served", () => {
    const world = aWorld(["a", 2])
    submit(world, { user: "u", chunks: 50 })
    const urgent = submit(world, { user: "u", chunks: 5, urgency: 0 })
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    const before = dispatched(world).length
    for (let n = 0; n < 3; n++) finish(world, node)
    const video = dispatched(world)
      .slice(before)
      .filter((task) => task.pool === SOFTWARE)
    assert.isNotEmpty(video)
    assert.deepStrictEqual([...new Set(video.map((task) => task.exportId))], [urgent])
  })

  it("no more begin than there are slots to fill, and no more of a user than the cap", () => {
    const world = aWorld(["a", 2])
    for (let n = 0; n < 10; n++) submit(world, { user: "u", chunks: 1 })
    // Two slots and one more task in the queue.
    assert.strictEqual([...world.rows.values()].filter((row) => row.status === "processing").length, 3)
    const wide = aWorld(["a", 20])
    for (let n = 0; n < 10; n++) submit(wide, { user: "u", chunks: 1 })
    assert.strictEqual([...wide.rows.values()].filter((row) => row.status === "processing").length, 3)
  })

  it("what no encoder can do holds up nobody, says why it waits, and fails after a long time", () => {
    const world = aWorld(["a", 2])
    const special = submit(world, { user: "u", chunks: 1, labels: ["studio"] })
    const plain = submit(world, { user: "u", chunks: 1 })
    assert.strictEqual(rowOf(world, plain).status, "processing")
    assert.strictEqual(rowOf(world, special).status, "pending")
    world.tick(5000)
    world.drain()
    const said = world.reports.get(special)
    assert.include(said?.message, "Waiting for an encoder for h264 on a node labelled studio")
    assert.strictEqual(said?.elapsedSeconds, 0)
    world.tick(3_500_000)
    world.drain()
    assert.strictEqual(rowOf(world, special).status, "pending")
    world.tick(200_000)
    world.drain()
    assert.strictEqual(rowOf(world, special).status, "failed")
    assert.strictEqual(of(world, "Fail")[0]?.error.code, "encoder_unavailable")
  })

  it("labels: only nodes that have them, also when a pool is shared", () => {
    const world = new World()
    world.addNode("plain", 2)
    const studio = world.addNode("studio", 1, ["software"], ["studio", "fast"])
    world.restart()
    world.tick(1)
    world.drain()
    submit(world, { user: "u", chunks: 9, labels: ["studio"] })
    const tasks = dispatched(world).filter((task) => task.pool === SOFTWARE)
    // Its one slot and one more, though the pool has room for more.
    assert.strictEqual(tasks.length, 2)
    for (const task of tasks) assert.deepStrictEqual(task.excludes, [NodeId.make("plain")])
    assert.isTrue(world.pull(studio))
  })

  it("autoscaling hears of what waits, too", () => {
    const world = aWorld(["a", 2])
    for (let n = 0; n < 10; n++) submit(world, { user: `u${n}`, chunks: 4 })
    const wanted = slotsWanted(world.state)
    // Three begun, twelve chunks; seven wait.
    assert.strictEqual(wanted.get(SOFTWARE), 3 * 4 + 7)
    assert.isAbove(wanted.get(lightPool(BUILD)) ?? 0, 0)
  })
})

describe("encoders come and go", () => {
  it("a build that is gone takes no export with it: planned anew for the one that came", () => {
    const world = aWorld(["old", 2])
    const id = submit(world, { user: "u", chunks: 4 })
    const [old] = world.nodes
    if (old === undefined) return assert.fail()
    world.kill(old)
    for (let seconds = 0; seconds < 120; seconds += 5) {
      world.tick(5000)
      const advertisement = advertisementOf("new", { build: SECOND_BUILD })
      world.mailbox.push({ _tag: "NodeSeen", advertisement })
      world.drain()
    }
    assert.strictEqual(rowOf(world, id).epoch, 2)
    const last = dispatched(world).at(-1)
    assert.strictEqual(last?.pool.endsWith(SECOND_BUILD), true)
    assert.strictEqual(last?.epoch, 2)
    assert.isTrue(of(world, "Purge").some((command) => command.id === id))
    assert.isTrue(of(world, "Stop").some((command) => command.id === id && command.epoch === 1))
  })

  it("with nobody left it waits and says so, and goes on when they return", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    world.kill(node)
    for (let seconds = 0; seconds < 100; seconds += 5) {
      world.tick(5000)
      world.drain()
    }
    assert.include(world.reports.get(id)?.message, "Waiting for an encoder")
    node.alive = true
    world.settle()
    assert.strictEqual(rowOf(world, id).status, "completed")
    assert.strictEqual(rowOf(world, id).epoch, 1)
  })

  it("a draining node is given nothing more", () => {
    const world = aWorld(["a", 2])
    world.mailbox.push({ _tag: "NodeSeen", advertisement: advertisementOf("a", { status: "draining" }) })
    world.drain()
    const id = submit(world, { user: "u", chunks: 1 })
    assert.strictEqual(rowOf(world, id).status, "pending")
  })
})

describe("failures", () => {
  it("whose fault it is decides", () => {
    const at = { failures: 1, maxAttempts: 3, otherFamily: true, otherNodes: 1, smartCut: true }
    const tags = (kind: FailureKind, circumstances: Partial<typeof at>) =>
      remedyFor(kind, { ...at, ...circumstances })._tag
    assert.strictEqual(tags("input", {}), "fail")
    assert.strictEqual(tags("encoder", {}), "replan")
    assert.strictEqual(tags("encoder", { otherFamily: false }), "again")
    assert.strictEqual(tags("encoder", { otherFamily: false, failures: 3 }), "fail")
    assert.strictEqual(tags("resource", {}), "again")
    assert.strictEqual(tags("resource", { otherNodes: 0 }), "fail")
    assert.strictEqual(tags("resource", { failures: 3 }), "fail")
    assert.deepStrictEqual(remedyFor("storage", at), { _tag: "again", afterMillis: 1000 })
    assert.deepStrictEqual(remedyFor("storage", { ...at, failures: 2 }), { _tag: "again", afterMillis: 4000 })
    assert.strictEqual(tags("storage", { failures: 3 }), "fail")
    for (const kind of ["timeout", "internal"] as const) {
      assert.deepStrictEqual(remedyFor(kind, { ...at, failures: 2, otherNodes: 0 }), { _tag: "again", afterMillis: 0 })
      assert.strictEqual(tags(kind, { failures: 3 }), "fail")
    }
    assert.strictEqual(tags("smartcut", { failures: 3 }), "encodeAll")
    assert.strictEqual(tags("smartcut", { smartCut: false }), "again")
    assert.strictEqual(tags("smartcut", { smartCut: false, failures: 3 }), "fail")
    assert.strictEqual(backoff(10), 60_000)
  })

  it("a smart cut that did not give the right pictures: everything is encoded, in the next epoch", () => {
    const world = aWorld(["a", 1])
    const id = submit(world, { user: "u", chunks: 1, smartCut: true })
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    const works = () => rowOf(world, id).plan?.tasks.map(({ work }) => work) ?? []
    assert.isTrue(works().some((work) => work._tag === "chunk" && work.edge !== undefined))
    fail(world, node, "smartcut")
    assert.isFalse(works().some((work) => work._tag === "chunk" && work.edge !== undefined))
    assert.strictEqual(rowOf(world, id).epoch, 2)
    assert.deepStrictEqual(
      of(world, "RecordAttempt").map(({ epoch, error, kind }) => [epoch, kind, error.code]),
      [[1, "smartcut", "render_error"]]
    )
    world.settle()
    assert.deepStrictEqual(rowOf(world, id).ends, ["2:completed"])
  })

  it("that nothing is to be copied, a later leader knows from the attempts, and so does who asks for it once more", () => {
    const world = new World()
    const node = world.addNode("gpu", 1, ["nvenc", "software"])
    world.restart()
    world.tick(1)
    world.drain()
    const id = submit(world, { user: "u", chunks: 1, smartCut: true })
    fail(world, node, "smartcut")
    world.restart()
    world.tick(1)
    world.drain()
    fail(world, node, "encoder")
    assert.strictEqual(rowOf(world, id).plan?.family, "software")
    world.cancel(rowOf(world, id))
    world.drain()
    world.retry(rowOf(world, id))
    world.tick(1)
    world.settle()
    assert.deepStrictEqual(
      of(world, "Plan").map(({ epoch, noSmartCut }) => [epoch, noSmartCut]),
      [
        [1, false],
        [2, true],
        [3, true],
        [4, true]
      ]
    )
    assert.deepStrictEqual(rowOf(world, id).ends, ["3:cancelled", "4:completed"])
  })

  it("elsewhere where there is an elsewhere; each try is on record under its dispatch", () => {
    const world = aWorld(["a", 1], ["b", 1])
    submit(world, { user: "u", chunks: 1 })
    const [a, b] = world.nodes
    if (a === undefined || b === undefined) return assert.fail()
    const first = dispatched(world).find((task) => task.pool === SOFTWARE)
    fail(world, a, "internal")
    const again = dispatched(world).findLast((task) => task.pool === SOFTWARE)
    assert.strictEqual(again?.task, first?.task)
    assert.notStrictEqual(again?.dispatch, first?.dispatch)
    assert.deepStrictEqual(again?.excludes, [a.id])
    fail(world, b, "internal")
    // It failed everywhere: anywhere again.
    assert.deepStrictEqual(dispatched(world).findLast((task) => task.pool === SOFTWARE)?.excludes, [])
    assert.deepStrictEqual(
      of(world, "RecordAttempt").map(({ attempt, nodeId }) => [attempt, nodeId]),
      [
        [first?.dispatch, a.id],
        [again?.dispatch, b.id]
      ].map(([dispatch, node]) => [AttemptId.make(dispatch ?? ""), node])
    )
  })

  it("an encoder family that fails takes the whole export to the next, with the light work done kept", () => {
    const world = new World()
    const node = world.addNode("gpu", 1, ["nvenc", "software"])
    world.restart()
    world.tick(1)
    world.drain()
    const id = submit(world, { user: "u", chunks: 2 })
    assert.strictEqual(rowOf(world, id).plan?.family, "nvenc")
    fail(world, node, "encoder")
    assert.strictEqual(rowOf(world, id).plan?.family, "software")
    assert.strictEqual(rowOf(world, id).epoch, 2)
    world.settle()
    assert.strictEqual(rowOf(world, id).status, "completed")
    assert.deepStrictEqual(rowOf(world, id).ends, ["2:completed"])
  })

  it("storage: three tries, with rests between them", () => {
    const world = aWorld(["a", 1])
    const id = submit(world, { user: "u", chunks: 1 })
    const [node] = world.nodes
    if (node === undefined) return assert.fail()
    const chunk = () => dispatched(world).filter((task) => task.pool === SOFTWARE)
    const breakChunk = () => fail(world, node, "storage")
    breakChunk()
    assert.strictEqual(chunk().length, 1)
    world.tick(999)
    world.drain()
    assert.strictEqual(chunk().length, 1)
    world.tick(2)
    world.drain()
    assert.strictEqual(chunk().length, 2)
    breakChunk()
    world.tick(4001)
    world.drain()
    assert.strictEqual(chunk().length, 3)
    breakChunk()
    assert.strictEqual(rowOf(world, id).status, "failed")
    assert.strictEqual(of(world, "Fail")[0]?.error.code, "storage_error")
  })

  it("attempts of an earlier leader count, and what should have followed from them follows", () => {
    const world = aWorld(["a", 2], ["b", 2])
    const [a, b] = world.nodes
    if (a === undefined || b === undefined) return assert.fail()
    const id = submit(world, { user: "u", chunks: 1 })
    fail(world, a, "internal")
    fail(world, b, "internal")
    const row = rowOf(world, id)
    assert.strictEqual(row.attempts.length, 2)
    world.restart()
    world.tick(1)
    world.drain()
    // The third, of another leader, is the last.
    fail(world, a, "internal")
    assert.strictEqual(row.status, "failed")

    const other = submit(world, { user: "u", chunks: 1 })
    fail(world, a, "internal")
    const [recorded] = rowOf(world, other).attempts
    if (recorded === undefined) return assert.fail()
    // A leader died between the record of a failure that ends the export and the end itself.
    const attempt = AttemptId.make("0198c9a0-0000-7000-8000-00000000abcd")
    rowOf(world, other).attempts.push({ ...recorded, attempt, kind: "input" })
    world.restart()
    world.tick(1)
    world.drain()
    assert.strictEqual(rowOf(world, other).status, "failed")
  })
})

describe("outputs in place for nobody", () => {
  it("a store that refuses for good: what is in place of a failed export goes", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    const { state } = world
    const job = state.jobs.get(id) ?? assert.fail("no job")
    const { epoch, user } = job
    job.phase = "linking"
    job.tries = 2
    const [, commands] = decide(state, { _tag: "LinkFailed", id, token: job.token, epoch, user, vanished: false }, 1e6)
    assert.deepInclude(commands, { _tag: "Unlink", id, user, epoch })
    assert.include(
      commands.map(({ _tag }) => _tag),
      "Fail"
    )
  })

  it("a cancel meets links of which the second fails: the first goes, once the row says that nobody will see it", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    const { state } = world
    const job = state.jobs.get(id) ?? assert.fail("no job")
    const { epoch, frames, token } = job
    const user = job.user
    const row = {
      id,
      user,
      status: "cancelled",
      epoch,
      urgency: 1,
      codec: "h264",
      labels: [],
      frames,
      changedMillis: 0,
      noSmartCut: false
    } as const
    const hear = (event: Event) => decide(state, event, 1e6)[1]
    hear({ _tag: "Rows", asOf: state.sequence, rows: [row], missing: [] })
    const after = hear({ _tag: "LinkFailed", id, token, epoch, user, vanished: false })
    assert.deepStrictEqual(after, [{ _tag: "Inspect", id }])
    const then = hear({ _tag: "Rows", asOf: state.sequence, rows: [row], missing: [] })
    assert.deepInclude(then, { _tag: "Unlink", id, user, epoch })
  })
})

describe("a plan of one task", () => {
  it("travels with it, in a message that an older encoder gives back", () => {
    const world = aWorld(["a", 2])
    const travels = submit(world, { user: "u", chunks: 1, travels: true })
    const named = submit(world, { user: "v", chunks: 1 })
    const messageOf = (id: string) => dispatched(world).find((task) => task.exportId === id)
    assert.deepInclude(messageOf(travels), { v: 2, inline: `plan of ${travels}` })
    assert.strictEqual(messageOf(named)?.v, 1)
    assert.notProperty(messageOf(named), "inline")
    // A leader that takes it up has it from the row.
    world.restart()
    world.drain()
    assert.strictEqual(world.state.jobs.get(travels)?.run?.inline, `plan of ${travels}`)
  })
})

describe("words of others", () => {
  it("a result of an older epoch for a task that still counts is believed when the store says so", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    const task = dispatched(world).find((each) => each.exportId === id)
    if (task === undefined) return assert.fail()
    const say = (done: boolean) => {
      if (done) world.manifests.set(`${task.userId}/${task.task}`, "zombie")
      world.mailbox.push({
        _tag: "Result",
        result: {
          v: 1,
          exportId: id,
          epoch: task.epoch + 5,
          task: task.task,
          dispatch: "whatever",
          nodeId: NodeId.make("zombie"),
          pool: task.pool,
          outcome: { _tag: "Done", manifest: manifestOf(task.userId, task.task, NodeId.make("zombie")), reused: false }
        }
      })
      world.drain()
      return world.state.jobs.get(id)?.run?.tasks.get(task.task)?.state
    }
    assert.strictEqual(say(false), "dispatched")
    assert.strictEqual(say(true), "done")
  })

  it("a failure under a name that is no dispatch of ours is on record under a name of its own", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    world.restart()
    world.drain()
    const task = dispatched(world).find((each) => each.exportId === id)
    if (task === undefined) return assert.fail()
    world.mailbox.push({
      _tag: "Result",
      result: {
        v: 1,
        exportId: id,
        epoch: task.epoch,
        task: task.task,
        dispatch: "no uuid",
        nodeId: NodeId.make("stranger"),
        pool: task.pool,
        outcome: { _tag: "Failed", kind: "internal", message: "no", log: "", seconds: 1 }
      }
    })
    world.drain()
    const [attempt] = of(world, "RecordAttempt")
    assert.isTrue(Schema.is(AttemptId)(attempt?.attempt))
  })

  it("stopping the cancelled run goes on until no node says that it runs, and never hits the retry", () => {
    const world = aWorld(["a", 2])
    const id = submit(world, { user: "u", chunks: 1 })
    const row = rowOf(world, id)
    world.cancel(row)
    world.ring(id)
    world.drain()
    world.retry(row)
    world.ring(id)
    world.drain()
    assert.strictEqual(row.epoch, 2)
    const busy = { exportId: id, task: dispatched(world)[0]?.task ?? assert.fail(), epoch: 1, pool: SOFTWARE }
    const before = of(world, "Stop").length
    for (let seconds = 0; seconds < 60; seconds += 2) {
      world.now += 2000
      world.mailbox.push({ _tag: "NodeSeen", advertisement: advertisementOf("a", { tasks: [busy] }) }, { _tag: "Tick" })
      world.drain()
    }
    const stops = of(world, "Stop").slice(before)
    assert.isAtLeast(stops.length, 25)
    assert.deepStrictEqual([...new Set(stops.map((stop) => stop.epoch))], [1])
    world.mailbox.push({ _tag: "NodeSeen", advertisement: advertisementOf("a") })
    world.now += 2000
    world.mailbox.push({ _tag: "Tick" })
    world.drain()
    assert.strictEqual(world.state.settling.size, 0)
  })
})

describe("decide", () => {
  it("says the same to the same, and is asked about nothing else", () => {
    const world = aWorld(["a", 2], ["b", 1])
    for (let n = 0; n < 6; n++) submit(world, { user: `u${n % 2}`, chunks: 1 + n })
    world.settle()
    let state = initial(world.policy, world.terms.at(-1) ?? assert.fail())
    const again: Array<Command> = []
    for (const { event, now } of world.log) {
      const [next, commands] = decide(state, event, now)
      state = next
      again.push(...commands)
    }
    assert.deepStrictEqual(again, world.commands)
  })

  it("ten thousand exports: microseconds an event, whatever waits", () => {
    const world = new World({ maxActive: 64, maxActivePerUser: 8 })
    for (let n = 0; n < 8; n++) world.addNode(`n${n}`, 4)
    world.restart()
    world.tick(1)
    world.drain()
    world.quick = true
    for (let n = 0; n < 10_000; n++) world.ring(world.submit({ user: `u${n % 100}`, chunks: 1, content: `c${n}` }))
    // Of the processor: how long it takes by the clock is the machine's other guests' matter.
    let spent = 0
    let events = 0
    for (let round = 0; round < 20_000 && (round < 10 || world.state.jobs.size > 0); round++) {
      while (world.asyncs.length > 0) world.async(0)
      while (world.results.some((each) => !each.taken)) world.takeResult(0)
      events += world.mailbox.length
      const from = process.cpuUsage()
      world.turn(world.mailbox.length)
      const { system, user } = process.cpuUsage(from)
      spent += system + user
      for (const node of world.nodes) {
        while (world.pull(node)) {
          /* as many as it can */
        }
        while (node.running.length > 0) world.finish(node, 0)
      }
    }
    assert.strictEqual([...world.rows.values()].filter((row) => row.status === "completed").length, 10_000)
    const each = spent / events
    assert.isBelow(each, 1000, `${each.toFixed(1)} µs an event over ${events} events`)
  })
})
