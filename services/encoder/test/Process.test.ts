import { assert, layer } from "@effect/vitest"
import { type TaskProgress, taskProgress } from "@reelay/contracts/messages/Messages"
import { TASKS } from "@reelay/contracts/messages/Topology"
import { taskFolder } from "@reelay/contracts/ObjectKeys"
import type { Task } from "@reelay/contracts/Plan"
import { Infra } from "@reelay/platform/testing/Infra"
import { processesIn } from "@reelay/platform/testing/RunningProcesses"
import { Effect, Queue, Stream } from "effect"
import { execa } from "execa"
import { join } from "node:path"
import { ACK_WAIT, aPlan, aSource, Farm, nextResult, nodeId, startEncoder, tasksOf, USER } from "./support/Farm.ts"

const main = join(import.meta.dirname, "..", "src", "main.ts")

/** The encoder as it is started in life: a process of its own. Killed with the scope. */
const spawnEncoder = Effect.fn("spawnEncoder")(function* (
  name: string,
  environment: Readonly<Record<string, string>> = {}
) {
  const infra = yield* Infra
  const farm = yield* Farm
  const lines: Array<string> = []
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = execa(process.execPath, [main], {
        reject: false,
        stdin: "ignore",
        extendEnv: false,
        env: {
          PATH: process.env["PATH"],
          ...infra.environment("encoder"),
          REELAY_NODE_ID: name,
          REELAY_SLOTS: "1",
          REELAY_FORCE_SOFTWARE: "1",
          REELAY_TASK_ACK_WAIT: String(ACK_WAIT),
          ...environment
        }
      })
      child.stdout.on("data", (data: Buffer) => lines.push(data.toString()))
      child.stderr.on("data", (data: Buffer) => lines.push(data.toString()))
      return child
    }),
    (child) =>
      Effect.promise(async () => {
        child.kill("SIGCONT")
        child.kill("SIGKILL")
        await child
      })
  )
  const found = yield* farm.bus.nodes.pipe(
    Stream.filter((news) => news.id === name && news.advertisement !== null),
    Stream.runHead,
    Effect.raceFirst(Effect.promise(() => child).pipe(Effect.flatMap(() => Effect.die(new Error(lines.join(""))))))
  )
  if (found._tag === "None" || found.value.advertisement === null) throw new Error("the stream of nodes ended")
  const { advertisement } = found.value
  yield* farm.ensurePools(advertisement.pools)
  const exited = Effect.promise(() => child).pipe(Effect.map(({ exitCode, signal }) => ({ exitCode, signal })))
  return {
    advertisement,
    exited,
    kill: (signal: NodeJS.Signals) => Effect.sync(() => process.kill(child.pid ?? 0, signal)),
    lines
  }
})

/** Enough for a few seconds of this machine. */
const longTask = Effect.fn("longTask")(function* (build: Parameters<typeof aPlan>[0]["build"], frames = 50) {
  const source = yield* aSource({ frames, silent: true })
  const plan = yield* aPlan({
    source,
    clips: [{ end: frames / 25 }],
    build,
    target: { width: 1280, height: 720, mode: "balanced" }
  })
  const [chunk] = tasksOf(plan, "chunk")
  if (chunk === undefined) throw new Error("a chunk was planned")
  return { plan, chunk }
})

/** Waits until ffmpeg runs on a node's task. */
const listen = Effect.gen(function* () {
  const farm = yield* Farm
  const { store } = yield* Infra
  const heard = yield* Queue.unbounded<TaskProgress>()
  yield* farm.bus.subscribe(taskProgress).pipe(
    Stream.runForEach((one) => Queue.offer(heard, one)),
    Effect.forkScoped
  )
  return Effect.fnUntraced(function* (node: string, task: Task) {
    while (true) {
      const one = yield* Queue.take(heard)
      if (one.nodeId === node && one.task === task.key) break
    }
    while (processesIn(store).length === 0) yield* Effect.sleep("10 millis")
  })
})

/** What workers made of a task, each under a name of its own. */
const uniquesOf = Effect.fn("uniquesOf")(function* (task: Task) {
  const { store } = yield* Farm
  const folder = taskFolder(USER, task.key)
  const keys = (yield* Stream.runCollect(store.list(folder))).map((info) => info.key.slice(folder.length))
  return keys.filter((name) => name !== "manifest.json")
})

const untilNothingRuns = Effect.gen(function* () {
  const { store } = yield* Infra
  while (processesIn(store).length > 0) yield* Effect.sleep("10 millis")
})

layer(Farm.layer, { excludeTestServices: true })("The encoder's process", (it) => {
  it.effect("killed in the middle: no ffmpeg is left, and another node does the task", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { store } = yield* Infra
      const begins = yield* listen
      const victim = yield* spawnEncoder("victim")
      const { chunk, plan } = yield* longTask(victim.advertisement.build)
      yield* farm.dispatch(plan, chunk)
      yield* begins("victim", chunk)
      assert.isNotEmpty(processesIn(store))
      yield* victim.kill("SIGKILL")
      yield* untilNothingRuns
      yield* startEncoder({ nodeId: nodeId("heir") })
      const result = yield* nextResult
      assert.deepStrictEqual([result.nodeId, result.outcome._tag], ["heir", "Done"])
      assert.lengthOf(yield* uniquesOf(chunk), 1)
      assert.deepStrictEqual(yield* farm.bus.subjects(TASKS, `tasks.*.${plan.exportId}.*`), [])
    })
  )

  it.effect("SIGTERM: it finishes what it has, takes nothing new, takes back its advertisement and ends with 0", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const begins = yield* listen
      const one = yield* spawnEncoder("leaving")
      const { chunk, plan } = yield* longTask(one.advertisement.build)
      const { chunk: later, plan: laterPlan } = yield* longTask(one.advertisement.build, 10)
      yield* farm.dispatch(plan, chunk)
      yield* begins("leaving", chunk)
      yield* one.kill("SIGTERM")
      yield* farm.dispatch(laterPlan, later)
      const result = yield* nextResult
      assert.deepStrictEqual([result.task, result.outcome._tag], [chunk.key, "Done"])
      assert.deepStrictEqual(yield* one.exited, { exitCode: 0, signal: undefined })
      assert.lengthOf(yield* farm.bus.subjects(TASKS, `tasks.*.${laterPlan.exportId}.*`), 1)
      const present = yield* farm.bus.nodes.pipe(
        Stream.filter((news) => news.id === "leaving"),
        Stream.runHead,
        Effect.timeoutOption("300 millis")
      )
      const last = present._tag === "Some" && present.value._tag === "Some" ? present.value.value.advertisement : null
      assert.isNull(last)
      yield* farm.bus.purge(TASKS, "tasks.>")
    })
  )

  it.effect(
    "what does not finish within the grace period, or is told to stop twice, goes to another node at once",
    () =>
      Effect.gen(function* () {
        const farm = yield* Farm
        const begins = yield* listen
        const patient = yield* spawnEncoder("patient", { REELAY_GRACE_SECONDS: "100" })
        const { chunk, plan } = yield* longTask(patient.advertisement.build, 300)
        yield* farm.dispatch(plan, chunk)
        yield* begins("patient", chunk)
        yield* patient.kill("SIGTERM")
        const hasty = yield* spawnEncoder("hasty", { REELAY_GRACE_SECONDS: "0.2" })
        yield* patient.kill("SIGTERM")
        assert.strictEqual((yield* patient.exited).exitCode, 0)
        yield* begins("hasty", chunk)
        const began = performance.now()
        yield* hasty.kill("SIGTERM")
        assert.strictEqual((yield* hasty.exited).exitCode, 0)
        assert.isBelow(performance.now() - began, 15_000)
        yield* untilNothingRuns
        assert.deepStrictEqual(yield* uniquesOf(chunk), [])
        assert.lengthOf(yield* farm.bus.subjects(TASKS, `tasks.*.${plan.exportId}.*`), 1)
        yield* farm.bus.purge(TASKS, "tasks.>")
      })
  )

  it.effect("stopped for longer than the ack wait and woken again: its late word harms nothing", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const begins = yield* listen
      const zombie = yield* spawnEncoder("zombie")
      const { chunk, plan } = yield* longTask(zombie.advertisement.build)
      yield* farm.dispatch(plan, chunk)
      yield* begins("zombie", chunk)
      yield* zombie.kill("SIGSTOP")
      const other = yield* startEncoder({ nodeId: nodeId("awake"), slots: 1 })
      const first = yield* nextResult
      assert.deepStrictEqual([first.nodeId, first.outcome._tag], ["awake", "Done"])
      yield* other.claim.accept(false)
      yield* zombie.kill("SIGCONT")
      const second = yield* nextResult
      assert.strictEqual(second.nodeId, "zombie")
      if (first.outcome._tag !== "Done" || second.outcome._tag !== "Done")
        throw new Error(JSON.stringify(second.outcome))
      assert.deepStrictEqual([second.outcome.reused, second.outcome.manifest], [true, first.outcome.manifest])
      assert.lengthOf(yield* uniquesOf(chunk), 1)
      assert.deepStrictEqual(yield* farm.bus.subjects(TASKS, `tasks.*.${plan.exportId}.*`), [])
      // And it is of use again.
      const { chunk: next, plan: nextPlan } = yield* longTask(zombie.advertisement.build, 10)
      yield* farm.dispatch(nextPlan, next)
      const third = yield* nextResult
      assert.deepStrictEqual([third.nodeId, third.outcome._tag], ["zombie", "Done"])
    })
  )

  it.effect("refuses to start with settings that mean nothing, and says which", () =>
    Effect.gen(function* () {
      const infra = yield* Infra
      const ended = yield* Effect.promise(() =>
        execa(process.execPath, [main], {
          reject: false,
          env: { ...infra.environment("encoder"), REELAY_ENCODERS: "nvidia" },
          all: true
        })
      )
      assert.strictEqual(ended.exitCode, 1)
      assert.include(ended.all, "REELAY_ENCODERS")
    })
  )
})
