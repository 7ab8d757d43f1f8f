import { assert, describe, layer } from "@effect/vitest"
import { UserId } from "@reelay/contracts/Ids"
import type { TaskMessage, TaskResult } from "@reelay/contracts/messages/Messages"
import { taskFolder, taskManifest } from "@reelay/contracts/ObjectKeys"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { Infra } from "@reelay/platform/testing/Infra"
import { Deferred, Effect, Latch, Layer, Option, Stream } from "effect"
import { readdir, utimes } from "node:fs/promises"
import { join } from "node:path"
import { keepWithin } from "../src/CacheKeeper.ts"
import { SchedulerConfig } from "../src/SchedulerConfig.ts"
import { anEncoder, anExport, aScheduler, lab, rowOf, until } from "./Lab.ts"

let users = 0
const someone = () => UserId.make(`cached-${++users}`)

/** Looks that take everything they may. */
const greedy = Effect.gen(function* () {
  const settings = yield* SchedulerConfig
  return yield* keepWithin().pipe(
    Effect.provideService(SchedulerConfig, { ...settings, cache: { bytes: 0, free: 0, lookMillis: 60_000 } })
  )
}).pipe(Effect.provide(SchedulerConfig.layer))

/** An hour passes for all that is in a folder. */
const age = Effect.fnUntraced(function* (folder: string) {
  const { store } = yield* Infra
  const at = new Date(Date.now() - 3_600_000)
  yield* Effect.promise(async () => {
    for (const name of await readdir(join(store, folder))) await utimes(join(store, folder, name), at, at)
  })
})
const isDone = Effect.fnUntraced(function* ({ task, userId }: Pick<TaskMessage, "task" | "userId">) {
  return (yield* (yield* ObjectStore).head(taskManifest(userId, task))) !== null
})
/** Of an export that runs or ran. */
const isFinal = Effect.fnUntraced(function* ({ exportId, task }: TaskMessage) {
  return (yield* rowOf(exportId).pipe(Effect.orDie)).plan?.final === task
})
const gone: TaskResult["outcome"] = {
  _tag: "Failed",
  kind: "storage",
  message: "An intermediate file is gone.",
  log: "",
  seconds: 0
}
const times = (seen: ReadonlyArray<TaskMessage>, task: string) => seen.filter((one) => one.task === task).length

describe("the cache's bound", () => {
  layer(lab.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("takes what nobody needs, and nothing of what runs, was of use just now, or costs nothing", () =>
      Effect.gen(function* () {
        const user = someone()
        const store = yield* ObjectStore
        const database = yield* Database
        yield* aScheduler()
        const gate = yield* Latch.make(false)
        const before = yield* Deferred.make<ReadonlyArray<TaskMessage>>()
        const seen: ReadonlyArray<TaskMessage> = yield* anEncoder("half", (task, done) =>
          Effect.gen(function* () {
            if (!(yield* isFinal(task))) return yield* done()
            yield* Deferred.succeed(
              before,
              seen.filter((one) => one !== task)
            )
            yield* gate.await
            return yield* done()
          }).pipe(Effect.provideService(Database, database))
        )
        const id = yield* anExport(user)
        const chunks = yield* Deferred.await(before).pipe(Effect.timeout("40 seconds"))
        assert.isNotEmpty(chunks)
        for (const { task } of chunks) yield* age(taskFolder(user, task))
        // Nobody's: old, and young.
        const [old, young] = [`cache/nobody/${"a".repeat(64)}/`, `cache/nobody/${"b".repeat(64)}/`]
        for (const folder of [old, young]) yield* store.put(`${folder}x-chunk.mp4`, Stream.make(new Uint8Array(9)))
        yield* age(old)
        assert.include(yield* greedy, old)
        assert.isNull(yield* store.head(`${old}x-chunk.mp4`))
        assert.isNotNull(yield* store.head(`${young}x-chunk.mp4`))
        for (const chunk of chunks) assert.isTrue(yield* isDone(chunk))

        yield* gate.open
        yield* until(id, "completed")
        const final = yield* Effect.fromOption(Option.fromNullishOr(seen.find((task) => !chunks.includes(task))))
        for (const { task } of seen) yield* age(taskFolder(user, task))
        assert.sameMembers(
          [...(yield* greedy)],
          chunks.map(({ task }) => taskFolder(user, task))
        )
        for (const chunk of chunks) assert.isFalse(yield* isDone(chunk))
        // The export has it under a name of its own: it stays, and the same export is still a look-up.
        assert.isTrue(yield* isDone(final))
        const tasks = seen.length
        yield* until(yield* anExport(user), "completed")
        assert.strictEqual(seen.length, tasks)

        // Found anew, it is young; without its exports it costs something, and goes.
        const made = (yield* rowOf(id)).outputs[0]?.object ?? ""
        assert.isNotNull(yield* store.head(made))
        yield* store.removeAll("exports/")
        assert.deepStrictEqual(yield* greedy, [])
        yield* age(taskFolder(user, final.task))
        assert.strictEqual((yield* greedy).length, 1)
        yield* until(yield* anExport(user), "completed")
        assert.strictEqual(seen.length, 2 * tasks)
      }).pipe(Effect.scoped)
    )

    it.effect("what was done and is gone is done again, whoever finds that out", () =>
      Effect.gen(function* () {
        const user = someone()
        const store = yield* ObjectStore
        const database = yield* Database
        yield* aScheduler()
        let lost: TaskMessage | undefined
        const seen: ReadonlyArray<TaskMessage> = yield* anEncoder("robbed", (task, done) =>
          Effect.gen(function* () {
            if (lost !== undefined || !(yield* isFinal(task))) return yield* done()
            lost = seen[0]
            yield* store.removeAll(taskFolder(user, lost?.task ?? task.task)).pipe(Effect.orDie)
            return gone
          }).pipe(Effect.provideService(Database, database))
        )
        const id = yield* anExport(user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.strictEqual(row.epoch, 2)
        assert.strictEqual(times(seen, lost?.task ?? ""), 2)
        const final = row.plan?.final
        const others = seen.filter(({ task }) => task !== final && task !== lost?.task)
        assert.isNotEmpty(others)
        for (const { task } of others) assert.strictEqual(times(seen, task), 1)
      }).pipe(Effect.scoped)
    )

    it.effect("a finished file that is gone before it is put in place is made again, in one more epoch", () =>
      Effect.gen(function* () {
        const user = someone()
        const store = yield* ObjectStore
        const database = yield* Database
        yield* aScheduler()
        let final: TaskMessage | undefined
        const seen: ReadonlyArray<TaskMessage> = yield* anEncoder("vanishing", (task, done) =>
          Effect.gen(function* () {
            const outcome = yield* done()
            if (final !== undefined || !(yield* isFinal(task))) return outcome
            final = task
            // What it made goes; the manifest, which says that it is there, stays.
            const manifest = taskManifest(user, task.task)
            const kept = yield* store.getBytes(manifest)
            yield* store.removeAll(taskFolder(user, task.task))
            yield* store.putIfAbsent(manifest, kept)
            return outcome
          }).pipe(Effect.provideService(Database, database), Effect.orDie)
        )
        const row = yield* until(yield* anExport(user), "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.strictEqual(row.epoch, 2)
        assert.strictEqual(times(seen, final?.task ?? ""), 2)
      }).pipe(Effect.scoped)
    )
  })
})
