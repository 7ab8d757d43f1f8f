import { assert, describe, layer } from "@effect/vitest"
import { NodeId, UserId } from "@reelay/contracts/Ids"
import { control, taskResult } from "@reelay/contracts/messages/Messages"
import { TASKS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { attempts, exports_ } from "@reelay/platform/Tables"
import { eq, sql } from "drizzle-orm"
import { Effect, Latch, Queue, Schedule, Stream } from "effect"
import { anEncoder, anExport, announced, aScheduler, lab, ring, until } from "./Lab.ts"

let users = 0
/** A tenant of one's own: task keys hold the tenant, so no test finds another's work done. */
const someone = () => UserId.make(`user-${++users}`)

const attemptsOf = Effect.fnUntraced(function* (id: string) {
  return yield* (yield* Database).query("attempts", (db) =>
    db.select({ kind: attempts.kind }).from(attempts).where(eq(attempts.exportId, id))
  )
})
const cancel = Effect.fnUntraced(function* (id: string) {
  yield* (yield* Database).query("cancel", (db) =>
    db
      .update(exports_)
      .set({ status: "cancelled", completedAt: sql`now()` })
      .where(eq(exports_.id, id))
  )
})

describe("a scheduler among real servers", () => {
  layer(lab, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect("an export from its doorbell to its outputs, and what was said of it", () =>
      Effect.gen(function* () {
        const user = someone()
        yield* aScheduler()
        const seen = yield* anEncoder("happy")
        const id = yield* anExport(user)
        yield* ring(id, user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.strictEqual(row.epoch, 1)
        assert.strictEqual(row.encoder, "software")
        assert.strictEqual(row.outputs[0]?.output.name, "made.mp4")
        assert.isNotNull(yield* (yield* ObjectStore).head(row.outputs[0]?.object ?? ""))
        const events = yield* announced(id, "completed")
        assert.deepStrictEqual(
          events.map((event) => event.status),
          ["pending", "processing", "completed"]
        )
        assert.strictEqual(new Set(seen.map((task) => task.dispatch)).size, seen.length)
        assert.deepStrictEqual(yield* attemptsOf(id), [])
      }).pipe(Effect.scoped)
    )

    it.effect("nobody rang: found all the same; the same again is a look-up", () =>
      Effect.gen(function* () {
        const user = someone()
        yield* aScheduler()
        const seen = yield* anEncoder("found")
        const first = yield* anExport(user)
        yield* until(first, "completed")
        const tasks = seen.length
        assert.isAbove(tasks, 0)
        const second = yield* anExport(user)
        yield* until(second, "completed")
        assert.strictEqual(seen.length, tasks)
      }).pipe(Effect.scoped)
    )

    it.effect("bad input fails at once, and says whose fault it is", () =>
      Effect.gen(function* () {
        const user = someone()
        yield* aScheduler()
        yield* anEncoder("picky", () =>
          Effect.succeed({ _tag: "Failed", kind: "input", message: "The source breaks off.", log: "moov", seconds: 1 })
        )
        const id = yield* anExport(user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.error?.code, "input_error")
        assert.include(row.error?.detail, "breaks off")
        assert.deepStrictEqual(yield* attemptsOf(id), [{ kind: "input" }])
      }).pipe(Effect.scoped)
    )

    it.effect("a task that fails by itself is tried three times; each try is on record", () =>
      Effect.gen(function* () {
        const user = someone()
        yield* aScheduler()
        yield* anEncoder("clumsy", () =>
          Effect.succeed({ _tag: "Failed", kind: "internal", message: "It crashed.", log: "", seconds: 1 })
        )
        const id = yield* anExport(user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.error?.code, "render_error")
        // Its first tasks failed side by side; the one that came to three ended the export.
        const kinds = (yield* attemptsOf(id)).map(({ kind }) => kind)
        assert.isAtLeast(kinds.length, 3)
        assert.deepStrictEqual([...new Set(kinds)], ["internal"])
      }).pipe(Effect.scoped)
    )

    it.effect("a source whose index is gone cannot be planned: input_error, nothing dispatched", () =>
      Effect.gen(function* () {
        const user = someone()
        yield* aScheduler()
        const seen = yield* anEncoder("idle")
        const id = yield* anExport(user, { indexed: false })
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "failed")
        assert.strictEqual(row.error?.code, "input_error")
        assert.strictEqual(row.epoch, 0)
        assert.isEmpty(seen)
      }).pipe(Effect.scoped)
    )

    it.effect("cancelled by the row alone: encoders are told, the queue is empty; then it runs again", () =>
      Effect.gen(function* () {
        const user = someone()
        const bus = yield* Bus
        const database = yield* Database
        yield* aScheduler()
        const gate = yield* Latch.make(false)
        const seen = yield* anEncoder("stuck", (_, done) => gate.await.pipe(Effect.andThen(Effect.suspend(done))))
        const heard = yield* Queue.unbounded<number | undefined>()
        const id = yield* anExport(user)
        yield* bus.subscribe(control).pipe(
          Stream.runForEach((message) =>
            message._tag === "Cancel" && message.exportId === id ? Queue.offer(heard, message.epoch) : Effect.void
          ),
          Effect.forkScoped
        )
        yield* until(id, "processing")
        yield* Effect.sync(() => seen.length).pipe(
          Effect.repeat({ schedule: Schedule.spaced(20), until: (count) => count > 0 }),
          Effect.timeout("40 seconds")
        )
        yield* cancel(id)
        assert.strictEqual(yield* Queue.take(heard).pipe(Effect.timeout("40 seconds")), 1)
        yield* bus
          .subjects(TASKS, `tasks.*.${id}.>`)
          .pipe(
            Effect.repeat({ schedule: Schedule.spaced(50), until: (subjects) => subjects.length === 0 }),
            Effect.timeout("40 seconds")
          )
        assert.deepStrictEqual(
          (yield* announced(id, "cancelled")).map((event) => event.status),
          ["pending", "processing", "cancelled"]
        )
        // What was stuck goes on, too: a zombie of the cancelled run.
        yield* gate.open
        yield* database.query("retry", (db) =>
          db.update(exports_).set({ status: "pending" }).where(eq(exports_.id, id))
        )
        yield* ring(id, user)
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.strictEqual(row.epoch, 2)
        assert.strictEqual(new Set(seen.map((task) => task.dispatch)).size, seen.length)
      }).pipe(Effect.scoped)
    )

    it.effect("a word of an older epoch, or of nobody's task, changes nothing", () =>
      Effect.gen(function* () {
        const user = someone()
        const bus = yield* Bus
        yield* aScheduler()
        let hold = true
        const seen = yield* anEncoder("slow", (_, done) =>
          Effect.suspend(done).pipe(Effect.delay(hold ? "1500 millis" : 0))
        )
        const id = yield* anExport(user)
        yield* until(id, "processing")
        yield* Effect.sync(() => seen[0]).pipe(
          Effect.repeat({ schedule: Schedule.spaced(20), until: (task) => task !== undefined }),
          Effect.timeout("40 seconds")
        )
        hold = false
        const task = seen[0]
        if (task === undefined) return assert.fail("nothing was dispatched")
        yield* bus.publish(taskResult, {
          v: 1,
          exportId: id,
          epoch: task.epoch + 7,
          task: task.task,
          dispatch: "01a1f7cc-0000-7000-8000-000000000000",
          nodeId: NodeId.make("stranger"),
          pool: task.pool,
          outcome: { _tag: "Failed", kind: "input", message: "A lie.", log: "", seconds: 1 }
        })
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.deepStrictEqual(yield* attemptsOf(id), [])
      }).pipe(Effect.scoped)
    )

    it.effect("the leader's session ends: the standby takes over in the middle of an export", () =>
      Effect.gen(function* () {
        const user = someone()
        const database = yield* Database
        const gate = yield* Latch.make(false)
        yield* aScheduler()
        yield* aScheduler()
        yield* anEncoder("patient", (_, done) => gate.await.pipe(Effect.andThen(Effect.suspend(done))))
        const id = yield* anExport(user)
        yield* until(id, "processing")
        const ended = yield* database.query("terminate", (db) =>
          db.execute<{ ended: boolean }>(
            sql`select pg_terminate_backend(pid) as ended from pg_locks where locktype = 'advisory' and granted`
          )
        )
        assert.isAtLeast(ended.length, 1)
        yield* gate.open
        const row = yield* until(id, "completed", "failed")
        assert.strictEqual(row.status, "completed")
        assert.strictEqual(row.epoch, 1)
        // What the new leader had to go by: the plan without the spec, which is in the row once.
        assert.notProperty(row.plan, "spec")
      }).pipe(Effect.scoped)
    )

    it.effect("many at once, of several users: all completed, each once", () =>
      Effect.gen(function* () {
        yield* aScheduler()
        yield* anEncoder("busy")
        const people = [someone(), someone(), someone()]
        const ids = yield* Effect.forEach(
          Array.from({ length: 30 }, (_, n) => people[n % 3] ?? someone()),
          (user) => anExport(user).pipe(Effect.tap((id) => ring(id, user))),
          { concurrency: 4 }
        )
        const rows = yield* Effect.forEach(ids, (id) => until(id, "completed", "failed"), { concurrency: 4 })
        assert.deepStrictEqual([...new Set(rows.map((row) => row.status))], ["completed"])
        assert.deepStrictEqual([...new Set(rows.map((row) => row.epoch))], [1])
      }).pipe(Effect.scoped)
    )
  })
})
