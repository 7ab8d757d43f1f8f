import { assert, describe, it } from "@effect/vitest"
import { NodeId } from "@reelay/contracts/Ids"
import type { TaskMessage, TaskResult } from "@reelay/contracts/messages/Messages"
import { videoPool } from "@reelay/contracts/Plan"
import type { Command, Row } from "../src/Events.ts"
import { advertisementOf, BUILD } from "./fixtures.ts"
import { World } from "./World.ts"

const SOFTWARE = videoPool("software", "h264", BUILD)

/** One node, one export of three chunks that runs. */
const running = () => {
  const world = new World({ maxActive: 100, maxActivePerUser: 10 })
  const node = world.addNode("a", 2)
  world.restart()
  world.tick(1)
  world.drain()
  const id = world.submit({ user: "u", chunks: 3 })
  world.ring(id)
  world.drain()
  const row = world.rows.get(id) ?? assert.fail()
  const of = <Tag extends Command["_tag"]>(tag: Tag) =>
    world.commands.filter((command): command is Extract<Command, { readonly _tag: Tag }> => command._tag === tag)
  const dispatched = () => of("Dispatch").map((command) => command.message)
  const task = dispatched().find((each) => each.pool === SOFTWARE) ?? assert.fail()
  const say = (of: TaskMessage, change: Partial<TaskResult>) => {
    const { dispatch, epoch, exportId, pool, task } = of
    const outcome = { _tag: "Failed", kind: "input", message: "bad", log: "", seconds: 1 } as const
    const nodeId = NodeId.make("a")
    const result = { v: 1 as const, exportId, epoch, task, dispatch, pool, nodeId, outcome, ...change }
    world.mailbox.push({ _tag: "Result", result })
    world.drain()
  }
  const asRead = (): Row => ({
    id,
    user: row.user,
    status: row.status,
    epoch: row.epoch,
    urgency: 1,
    codec: "h264",
    labels: [],
    frames: 90,
    changedMillis: 1,
    noSmartCut: false
  })
  return { world, node, id, row, of, dispatched, task, say, asRead }
}

describe("failures that do not count", () => {
  it("of another dispatch, of another epoch, of a task that is out no more", () => {
    const { row, say, task, of } = running()
    say(task, { dispatch: "0198c9a0-0000-7000-8000-00000000abcd" })
    say(task, { epoch: task.epoch + 1 })
    assert.strictEqual(row.status, "processing")
    assert.isEmpty(of("RecordAttempt"))
    // This one does.
    say(task, {})
    assert.strictEqual(row.status, "failed")
    assert.strictEqual(of("RecordAttempt").length, 1)
  })

  it("of an older epoch, also for a leader that knows no dispatch of the run it took over", () => {
    const { of, row, say, task, world } = running()
    row.epoch = 4
    world.restart()
    world.drain()
    assert.strictEqual(world.state.jobs.get(row.id)?.phase, "running")
    say(task, { epoch: 3 })
    assert.strictEqual(row.status, "processing")
    assert.isEmpty(of("RecordAttempt"))
  })

  it("twice: the same report to the leader that recorded it, and to the next", () => {
    const { of, row, say, task, world } = running()
    const crash = { outcome: { _tag: "Failed", kind: "internal", message: "crash", log: "", seconds: 1 } } as const
    say(task, crash)
    say(task, crash)
    assert.strictEqual(of("RecordAttempt").length, 1)
    world.restart()
    world.drain()
    say(task, crash)
    assert.strictEqual(of("RecordAttempt").length, 1)
    assert.strictEqual(row.status, "processing")
  })

  it("a task that was stopped by mistake goes out again, under another name, and nobody is blamed", () => {
    const { dispatched, of, say, task } = running()
    say(task, { outcome: { _tag: "Cancelled" } })
    const again = dispatched().findLast((each) => each.task === task.task)
    assert.notStrictEqual(again?.dispatch, task.dispatch)
    assert.deepStrictEqual(again?.excludes, [])
    assert.isEmpty(of("RecordAttempt"))
  })
})

describe("what was read is not always what is", () => {
  it("a row read before its export ended, and heard of afterwards, brings nothing back", () => {
    const { asRead, id, of, world } = running()
    const stale = asRead()
    const asOf = world.state.sequence
    world.settle()
    assert.strictEqual(world.announced.get(id), "1:completed")
    const before = of("Load").length
    world.mailbox.push({ _tag: "Rows", asOf, rows: [stale], missing: [] })
    world.drain()
    assert.strictEqual(of("Load").length, before)
    assert.isFalse(world.state.jobs.has(id))
    assert.strictEqual(world.announced.get(id), "1:completed")
  })

  it("a cancel that is heard of while the start is being written is looked at again when it is", () => {
    const { world } = running()
    const id = world.submit({ user: "v", chunks: 1 })
    const row = world.rows.get(id) ?? assert.fail()
    world.ring(id)
    // Until its start is decided, and not yet written.
    for (let i = 0; i < 1000 && world.state.jobs.get(id)?.phase !== "starting"; i++) {
      if (world.mailbox.length > 0) world.turn(1)
      else world.async(0)
    }
    const { sequence } = world.state
    const read: Row = {
      id,
      user: row.user,
      status: "cancelled",
      epoch: 1,
      urgency: 1,
      codec: "h264",
      labels: [],
      frames: 1,
      changedMillis: 1,
      noSmartCut: false
    }
    world.mailbox.push({ _tag: "Rows", asOf: sequence, rows: [read], missing: [] })
    world.turn(1)
    assert.strictEqual(world.state.jobs.get(id)?.phase, "starting")
    world.commands.length = 0
    world.drain()
    assert.isTrue(world.commands.some((command) => command._tag === "Inspect" && command.id === id))
  })

  it("a deleted row takes its export along", () => {
    const { id, of, world } = running()
    world.mailbox.push({ _tag: "Rows", asOf: world.state.sequence, rows: [], missing: [id] })
    world.turn(1)
    assert.isFalse(world.state.jobs.has(id))
    assert.isTrue(of("Purge").some((command) => command.id === id))
  })
})

describe("what nobody wants any more", () => {
  it("tasks in the stream of an export that ended while no scheduler was there", () => {
    const { id, of, row, world } = running()
    assert.isNotEmpty(world.stream)
    world.cancel(row)
    world.restart()
    world.drain()
    assert.isEmpty(of("Purge"))
    world.lookAround()
    world.drain()
    assert.isTrue(of("Purge").some((command) => command.id === id))
    assert.isTrue(of("Stop").some((command) => command.id === id))
    assert.isEmpty(world.stream)
  })

  it("tasks of an older plan, which only their subject tells", () => {
    const { id, of, task, world } = running()
    const stray = { ...task, pool: videoPool("nvenc", "h264", BUILD) }
    world.stream.push({ message: stray, subject: `tasks.${stray.pool}.${id}.${stray.task}`, holder: null })
    world.lookAround()
    world.drain()
    assert.deepStrictEqual(
      of("Purge").map((command) => command.subject),
      [`tasks.${stray.pool}.${id}.${stray.task}`]
    )
  })

  it("an older epoch's task that only its node still knows", () => {
    const { id, of, row, task, world } = running()
    row.epoch = 3
    world.restart()
    world.drain()
    const tasks = [{ exportId: id, task: task.task, epoch: 2, pool: SOFTWARE }]
    world.now += 2000
    world.mailbox.push({ _tag: "NodeSeen", advertisement: advertisementOf("a", { tasks }) }, { _tag: "Tick" })
    world.drain()
    assert.deepStrictEqual(
      of("Stop").map((command) => [command.id, command.epoch]),
      [[id, 2]]
    )
    assert.isEmpty(of("Purge"))
  })
})
