import { assert, layer } from "@effect/vitest"
import { control, taskProgress } from "@reelay/contracts/messages/Messages"
import { TASKS } from "@reelay/contracts/messages/Topology"
import { taskFolder, taskManifest } from "@reelay/contracts/ObjectKeys"
import type { TaskProgress } from "@reelay/contracts/messages/Messages"
import type { Plan, Task } from "@reelay/contracts/Plan"
import { Infra } from "@reelay/platform/testing/Infra"
import { processesIn } from "@reelay/platform/testing/RunningProcesses"
import { Context, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readdir, rm, stat, truncate, unlink, utimes } from "node:fs/promises"
import { dirname, join } from "node:path"
import {
  aPlan,
  aSource,
  doneBy,
  failure,
  Farm,
  nextResult,
  nodeId,
  runPlan,
  startEncoder,
  storePlan,
  tasksOf,
  USER
} from "./support/Farm.ts"

const first = (plan: Plan, kind: Task["work"]["_tag"]): Task => {
  const [task] = tasksOf(plan, kind)
  if (task === undefined) throw new Error(`no ${kind} task`)
  return task
}
const objectsOf = Effect.fn("objectsOf")(function* (task: Task) {
  const { store } = yield* Farm
  return (yield* Stream.runCollect(store.list(taskFolder(USER, task.key)))).map((info) => info.key)
})
/** What lies in the store's folder of unfinished things. */
const unfinished = Effect.gen(function* () {
  const { store } = yield* Infra
  return yield* Effect.promise(() => readdir(join(store, ".tmp")))
})

/** Enough to do for this machine to be stopped in the middle of it. */
const LONG = { width: 1920, height: 1080, mode: "quality" } as const

/** The encoder that most tests use; probing hardware for each would take longer than the work. */
class Node extends Context.Service<Node, Effect.Success<ReturnType<typeof startEncoder>>>()(
  "@reelay/encoder/test/Node"
) {
  static readonly layer = Layer.effect(Node, startEncoder({ nodeId: nodeId("node") })).pipe(
    Layer.provideMerge(Farm.layer)
  )
}

/** For tests that bring encoders of their own: that one takes nothing meanwhile. */
const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { claim } = yield* Node
    return yield* Effect.acquireUseRelease(
      claim.accept(false),
      () => effect,
      () => claim.accept(true)
    )
  })

layer(Node.layer, { excludeTestServices: true })("Worker", (it) => {
  it.effect.each([false, true])(
    "makes everything of a plan, as its manifests say, and leaves nothing else (one pass: %s)",
    (inOnePass) =>
      Effect.gen(function* () {
        const farm = yield* Farm
        const { store } = yield* Infra
        const { capabilities } = yield* Node
        const source = yield* aSource()
        const plan = yield* aPlan({
          source,
          clips: [
            // Nobody gives a private letter a shape.
            { start: 0.2, end: 1.2, name: "\u{10fffd}", transition: { type: "dissolve", duration: 0.4 } },
            { start: 1, end: 1.8 }
          ],
          build: capabilities.build,
          type: "annotate",
          inOnePass
        })
        assert.lengthOf(plan.tasks, inOnePass ? 1 : 8)
        const results = yield* runPlan(plan)
        for (const task of plan.tasks) {
          const result = results.get(task.key)
          if (result === undefined) throw new Error(`${task.work._tag} has no result`)
          const { manifest, reused } = doneBy(result)
          assert.isFalse(reused)
          for (const file of manifest.files) {
            const bytes = yield* farm.store.getBytes(file.object)
            assert.deepStrictEqual(
              [bytes.length, createHash("sha256").update(bytes).digest("hex")],
              [file.bytes, file.sha256]
            )
          }
          assert.sameMembers(
            [...(yield* objectsOf(task))],
            [taskManifest(USER, task.key), ...manifest.files.map((file) => file.object)]
          )
        }
        const { files, missingGlyphs } = doneBy(results.get(plan.final) ?? (yield* nextResult)).manifest
        assert.strictEqual(missingGlyphs, "\u{10fffd}")
        const [film, poster] = files
        assert.deepStrictEqual(
          [film?.name, film?.frames, film?.duration, poster?.role],
          ["film.720p.mp4", 35, 1.4, "poster"]
        )
        // What another program says of it.
        const counted = execFileSync(
          "ffprobe",
          [
            ..."-v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0".split(" "),
            join(store, film?.object ?? "")
          ],
          { encoding: "utf8" }
        )
        assert.strictEqual(counted.trim(), "35")
        assert.deepStrictEqual(yield* unfinished, [])
        assert.deepStrictEqual(yield* farm.bus.subjects(TASKS, `tasks.*.${plan.exportId}.*`), [])
      })
  )

  it.effect("packs clips into an archive", () =>
    Effect.gen(function* () {
      const { store } = yield* Infra
      const { capabilities } = yield* Node
      const source = yield* aSource({ frames: 40, silent: true })
      const clips = [
        { end: 0.4, name: "eins: größer" },
        { start: 0.4, end: 1, name: "zwei" }
      ]
      const plan = yield* aPlan({
        source,
        clips,
        build: capabilities.build,
        delivery: "clips",
        target: { format: "webm", codec: "vp9" }
      })
      const results = yield* runPlan(plan)
      const [zip, poster] = doneBy(results.get(plan.final) ?? (yield* nextResult)).manifest.files
      assert.deepStrictEqual(
        [zip?.name, zip?.contentType, zip?.frames, zip?.duration, poster?.role],
        ["film.720p.zip", "application/zip", 25, 1, "poster"]
      )
      const path = join(store, zip?.object ?? "")
      const script =
        "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.namelist())"
      assert.include(
        execFileSync("python3", ["-c", script, path], { encoding: "utf8" }),
        "['01 eins- größer.webm', '02 zwei.webm']"
      )
    })
  )

  it.effect("finds done what was done, and mends what is no longer there", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { capabilities } = yield* Node
      const plan = yield* aPlan({ source: yield* aSource(), clips: [{ end: 0.4 }], build: capabilities.build })
      const chunk = first(plan, "chunk")
      yield* farm.dispatch(plan, chunk)
      const made = doneBy(yield* nextResult)
      const usedAt = Effect.map(
        farm.store.head(taskManifest(plan.spec.tenant, chunk.key)),
        (found) => found?.modifiedMillis ?? 0
      )
      const before = yield* usedAt
      yield* farm.dispatch(plan, chunk)
      const again = doneBy(yield* nextResult)
      assert.deepStrictEqual([again.reused, again.manifest], [true, made.manifest])
      assert.isAbove(yield* usedAt, before)

      yield* farm.store.remove(made.manifest.files[0]?.object ?? "")
      yield* farm.dispatch(plan, chunk)
      const mended = doneBy(yield* nextResult)
      assert.isFalse(mended.reused)
      // The same work makes the same bytes.
      assert.strictEqual(mended.manifest.files[0]?.sha256, made.manifest.files[0]?.sha256)
    })
  )

  it.effect("uses footage where it lies, if it is still the same", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { capabilities } = yield* Node
      const source = yield* aSource()
      const info = yield* Effect.promise(() => stat(source.path))
      const location = {
        _tag: "file" as const,
        path: source.path,
        bytes: info.size,
        modifiedMillis: Math.floor(info.mtimeMs)
      }
      const plan = yield* aPlan({ source, clips: [{ end: 0.4 }], build: capabilities.build, location })
      yield* farm.dispatch(plan, first(plan, "chunk"))
      doneBy(yield* nextResult)

      yield* Effect.promise(() => utimes(source.path, new Date(), new Date(Date.now() + 5000)))
      yield* farm.dispatch(plan, first(plan, "sound"))
      const changed = failure(yield* nextResult)
      assert.deepStrictEqual(
        [changed.kind, changed.message],
        ["input", "The source video was changed after the export was requested."]
      )

      yield* Effect.promise(() => unlink(source.path))
      yield* farm.dispatch(plan, first(plan, "sound"))
      const gone = failure(yield* nextResult)
      assert.deepStrictEqual([gone.kind, gone.message], ["input", "The source video is no longer where it was."])

      // A folder that is not there either may be a mount that this node lacks: another may have it.
      yield* Effect.promise(() => rm(dirname(source.path), { recursive: true }))
      yield* farm.dispatch(plan, first(plan, "sound"))
      const unreachable = failure(yield* nextResult)
      assert.deepStrictEqual(
        [unreachable.kind, unreachable.message],
        ["storage", "The encoder node cannot reach the source video."]
      )
      assert.deepStrictEqual(yield* unfinished, [])
    })
  )

  it.effect("says whose fault it is", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { store } = yield* Infra
      const { capabilities } = yield* Node
      const source = yield* aSource()
      const plan = yield* aPlan({ source, clips: [{ end: 0.4 }, { start: 0.4, end: 1 }], build: capabilities.build })

      yield* farm.dispatch(plan, first(plan, "soundtrack"))
      const missing = failure(yield* nextResult)
      assert.deepStrictEqual([missing.kind, missing.message], ["storage", "An intermediate file is gone."])

      yield* farm.dispatch(plan, first(plan, "chunk"), { plan: "plans/none/1.json" })
      assert.strictEqual(failure(yield* nextResult).kind, "storage")

      const other = yield* aPlan({ source, clips: [{ end: 1 }], build: capabilities.build })
      yield* farm.dispatch(plan, first(other, "chunk"))
      assert.strictEqual(failure(yield* nextResult).message, "The task is not in its plan.")

      const location = plan.spec.sources[0]?.location
      yield* Effect.promise(() => truncate(join(store, location?._tag === "object" ? location.key : ""), 300))
      yield* farm.dispatch(plan, first(plan, "chunk"))
      const damaged = failure(yield* nextResult)
      assert.deepStrictEqual([damaged.kind, damaged.message], ["input", "The source video is damaged or not readable."])
      assert.include(damaged.log, "moov atom not found")
      assert.notInclude(damaged.log, store)
      assert.deepStrictEqual(yield* unfinished, [])
    })
  )

  it.effect("throws away what is not as planned", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { capabilities } = yield* Node
      const plan = yield* aPlan({ source: yield* aSource(), clips: [{ end: 1 }], build: capabilities.build })
      // A plan that promises more frames than there are.
      const lie = (task: Task): Task =>
        task.work._tag === "chunk" ? { ...task, work: { ...task.work, from: 30, to: 90, hold: 0 } } : task
      const lying: Plan = { ...plan, tasks: plan.tasks.map(lie) }
      yield* storePlan(lying)
      const chunk = first(lying, "chunk")
      yield* farm.dispatch(lying, chunk)
      const result = failure(yield* nextResult)
      assert.deepStrictEqual(
        [result.kind, result.message],
        ["internal", "The result is not what was planned: it was thrown away."]
      )
      assert.match(result.log, /frames: 60 expected, \d+ found/)
      assert.deepStrictEqual(yield* objectsOf(chunk), [])
    })
  )

  it.effect("does not begin what the disk cannot hold", () =>
    alone(
      Effect.gen(function* () {
        const farm = yield* Farm
        const { capabilities } = yield* startEncoder(
          {},
          { REELAY_STORE_RESERVE_BYTES: String(Number.MAX_SAFE_INTEGER) }
        )
        const plan = yield* aPlan({ source: yield* aSource(), clips: [{ end: 0.4 }], build: capabilities.build })
        yield* farm.dispatch(plan, first(plan, "chunk"))
        const full = failure(yield* nextResult)
        assert.deepStrictEqual([full.kind, full.message], ["resource", "The encoder node ran out of disk space."])
      })
    )
  )

  it.effect("two workers on one task: one manifest, and the loser's files are gone", () =>
    alone(
      Effect.gen(function* () {
        const farm = yield* Farm
        const one = yield* startEncoder({ nodeId: nodeId("one"), slots: 1 })
        yield* startEncoder({ nodeId: nodeId("two"), slots: 1 })
        const plan = yield* aPlan({
          source: yield* aSource({ frames: 60 }),
          clips: [{ end: 2 }],
          build: one.capabilities.build,
          target: { width: 640, height: 360 }
        })
        const chunk = first(plan, "chunk")
        yield* farm.dispatch(plan, chunk)
        yield* farm.dispatch(plan, chunk)
        const results = [yield* nextResult, yield* nextResult]
        assert.sameMembers(
          results.map((result) => result.nodeId),
          ["one", "two"]
        )
        const outcomes = results.map(doneBy)
        assert.sameMembers(
          outcomes.map((outcome) => outcome.reused),
          [true, false]
        )
        assert.deepStrictEqual(outcomes[0]?.manifest, outcomes[1]?.manifest)
        assert.sameMembers(
          [...(yield* objectsOf(chunk))],
          [taskManifest(USER, chunk.key), outcomes[0]?.manifest.files[0]?.object ?? ""]
        )
      })
    )
  )

  it.effect("says how far it is, at most four times a second, and stops at once when cancelled", () =>
    Effect.gen(function* () {
      const farm = yield* Farm
      const { store } = yield* Infra
      const { capabilities } = yield* Node
      const plan = yield* aPlan({
        source: yield* aSource({ frames: 250 }),
        clips: [{ end: 5.9 }],
        build: capabilities.build,
        target: LONG
      })
      const chunk = first(plan, "chunk")
      const heard = yield* Queue.unbounded<readonly [TaskProgress, number]>()
      yield* farm.bus.subscribe(taskProgress).pipe(
        Stream.runForEach((progress) => Queue.offer(heard, [progress, performance.now()])),
        Effect.forkScoped
      )
      const began = performance.now()
      yield* farm.dispatch(plan, chunk)
      const said = []
      while (said.length < 4) said.push(yield* Queue.take(heard))
      assert.deepStrictEqual([said[0]?.[0].task, said[0]?.[0].frames], [chunk.key, 0])
      assert.isAbove(said[3]?.[0].frames ?? 0, 0)
      // Since before the first was said: when a word is heard, it was said earlier.
      assert.isAtLeast((said[3]?.[1] ?? 0) - began, 700)
      assert.isNotEmpty(processesIn(store))

      // Another epoch's cancel leaves it alone.
      yield* farm.bus.broadcast(control, { _tag: "Cancel", v: 1, exportId: plan.exportId, epoch: 0 })
      yield* Queue.take(heard)
      yield* farm.bus.broadcast(control, { _tag: "Cancel", v: 1, exportId: plan.exportId, epoch: 1 })
      const result = yield* nextResult
      assert.strictEqual(result.outcome._tag, "Cancelled")
      assert.deepStrictEqual(processesIn(store), [])
      assert.deepStrictEqual(yield* unfinished, [])
      assert.deepStrictEqual(yield* objectsOf(chunk), [])
    })
  )

  it.effect("an operator's stop hands the work to another node", () =>
    alone(
      Effect.gen(function* () {
        const farm = yield* Farm
        const one = yield* startEncoder({ nodeId: nodeId("stopped") })
        const other = yield* startEncoder({ nodeId: nodeId("takes-over") })
        yield* other.claim.accept(false)
        const plan = yield* aPlan({
          source: yield* aSource({ frames: 60 }),
          clips: [{ end: 2 }],
          build: one.capabilities.build,
          target: { width: 960, height: 540, mode: "balanced" }
        })
        const began = yield* farm.bus
          .subscribe(taskProgress)
          .pipe(Stream.take(1), Stream.runDrain, Effect.forkChild({ startImmediately: true }))
        const news = yield* Queue.unbounded<string>()
        yield* farm.bus.nodes.pipe(
          Stream.runForEach(({ advertisement, id }) => Queue.offer(news, `${id} ${advertisement?.status}`)),
          Effect.forkScoped
        )
        const untilSaid = (text: string) =>
          Effect.gen(function* () {
            while ((yield* Queue.take(news)) !== text) continue
          })
        yield* untilSaid("stopped active")
        yield* farm.dispatch(plan, first(plan, "chunk"))
        yield* Fiber.join(began)
        yield* other.claim.accept(true)
        yield* farm.bus.broadcast(control, { _tag: "Stop", v: 1, nodeId: nodeId("stopped") })
        const result = yield* nextResult
        assert.strictEqual(result.nodeId, "takes-over")
        assert.isFalse(doneBy(result).reused)
        yield* untilSaid("stopped draining")
        yield* farm.bus.broadcast(control, { _tag: "Resume", v: 1, nodeId: nodeId("stopped") })
        yield* untilSaid("stopped active")
      })
    )
  )
})
