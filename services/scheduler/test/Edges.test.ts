import { assert, describe, it, layer } from "@effect/vitest"
import { AttemptId, Digest, ExportId, newId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { exportFile, taskFile } from "@reelay/contracts/ObjectKeys"
import type { ExportRequested } from "@reelay/contracts/messages/Messages"
import { Build, lightPool } from "@reelay/contracts/Plan"
import type { Manifest } from "@reelay/contracts/Plan"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { attempts } from "@reelay/platform/Tables"
import { insertExport, insertVideo } from "@reelay/platform/testing/Fixtures"
import { eq, sql } from "drizzle-orm"
import { Cause, DateTime, Deferred, Effect, Exit, Layer, Schema, Stream } from "effect"
import { makeExecutor } from "../src/Executor.ts"
import { exportError } from "../src/Failures.ts"
import { Ledger } from "../src/Ledger.ts"
import { makeLines } from "../src/Lines.ts"
import { listen } from "../src/Listening.ts"
import { linkOutputs } from "../src/Outputs.ts"
import type { Post } from "../src/Post.ts"
import { SchedulerConfig } from "../src/SchedulerConfig.ts"
import { lab } from "./Lab.ts"

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

describe("Lines", () => {
  it.effect("a mistake of ours is heard of, and not a line that nobody serves", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      lines.add(newId(ExportId), lines.work(Effect.die("a bug")))
      const exit = yield* Effect.exit(lines.broken.pipe(Effect.timeout("40 seconds")))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === "a bug")
    }).pipe(Effect.scoped)
  )

  it.effect("in order within an export, across exports at once", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      const [one, other] = [newId(ExportId), newId(ExportId)]
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const order: Array<string> = []
      const say = (word: string) => Effect.sync(() => void order.push(word))
      lines.add(one, lines.work(Deferred.await(gate).pipe(Effect.andThen(say("first")))))
      lines.add(one, lines.work(say("second").pipe(Effect.andThen(Deferred.succeed(done, undefined)), Effect.asVoid)))
      lines.add(other, lines.work(say("other").pipe(Effect.andThen(Deferred.succeed(gate, undefined)), Effect.asVoid)))
      yield* Deferred.await(done)
      assert.deepStrictEqual(order, ["other", "first", "second"])
    }).pipe(Effect.scoped)
  )
})

describe("Listening", () => {
  it.effect("one ring is for all that it names", () =>
    Effect.gen(function* () {
      const [first, second, third] = [newId(ExportId), newId(ExportId), newId(ExportId)]
      const heard: Array<ExportId> = []
      const all = yield* Deferred.make<void>()
      const user = UserId.make("someone")
      const body: ExportRequested = { v: 1, exportId: first, userId: user, others: [second, third] }
      const services = Layer.mergeAll(
        Layer.mock(Bus)({
          consume: (_consumer, message) =>
            Stream.fromEffect(Schema.decodeUnknownEffect(message.schema)(body)).pipe(
              Stream.orDie,
              Stream.map((body) => ({
                body,
                subject: "exports.requested",
                deliveries: 1,
                ack: Effect.void,
                settle: () => Deferred.doneUnsafe(all, Effect.void),
                giveBack: () => Effect.void,
                working: Effect.void
              })),
              Stream.concat(Stream.never)
            ),
          subscribe: () => Stream.never,
          nodes: Stream.never,
          connections: Stream.never
        }),
        Layer.mock(Ledger)({ paused: Effect.succeed(false) }),
        SchedulerConfig.layer
      )
      const post: Post = (event) => {
        if (event._tag === "Rang") heard.push(event.id)
      }
      yield* Effect.raceFirst(
        listen(post, () => {}, Effect.never),
        Deferred.await(all)
      ).pipe(Effect.provide(services))
      assert.deepStrictEqual(heard, [first, second, third])
    })
  )
})

describe("Executor", () => {
  it.effect("tasks that went out again and again while their line stood still go out once", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const sent: Array<unknown> = []
      const services = Layer.mergeAll(
        Layer.mock(Bus)({
          streamState: () => Effect.succeed({ incarnation: "none", first: 1, last: 0 }),
          publishAll: (_message, bodies) =>
            Effect.sync(() => {
              for (const body of bodies) sent.push(Reflect.get(body, "dispatch"))
            }),
          purge: () => Effect.asVoid(Deferred.succeed(done, undefined))
        }),
        Layer.mock(ObjectStore)({}),
        // Postgres is away for a while.
        Layer.mock(Ledger)({ recordAttempt: () => Deferred.await(gate) }),
        SchedulerConfig.layer
      )
      yield* Effect.gen(function* () {
        const { execute } = yield* makeExecutor(
          yield* makeLines,
          () => {},
          () => 0,
          () => {}
        )
        const id = newId(ExportId)
        const user = UserId.make("anyone")
        const send = (task: string, dispatch: string) =>
          execute({
            _tag: "Dispatch",
            again: false,
            message: {
              v: 1,
              exportId: id,
              userId: user,
              epoch: 1,
              pool: lightPool(Build.make("0123456789ab")),
              task: TaskKey.make(task.repeat(64)),
              dispatch,
              plan: "plans/a/b/1.json",
              excludes: []
            }
          })
        execute({
          _tag: "RecordAttempt",
          id,
          user,
          attempt: newId(AttemptId),
          epoch: 1,
          task: "a".repeat(64),
          kind: "internal",
          nodeId: NodeId.make("node"),
          family: null,
          error: exportError("render_error", "It crashed."),
          log: "",
          seconds: 1
        })
        send("a", "a1")
        send("b", "b1")
        send("a", "a2")
        send("a", "a3")
        execute({ _tag: "Purge", id, subject: "tasks.>" })
        yield* Deferred.succeed(gate, undefined)
        yield* Deferred.await(done)
      }).pipe(Effect.provide(services))
      assert.deepStrictEqual(sent, ["b1", "a3"])
    }).pipe(Effect.scoped)
  )
})

layer(Ledger.layer.pipe(Layer.provideMerge(lab)), { excludeTestServices: true, timeout: "60 seconds" })(
  "among real servers",
  (it) => {
    it.effect("a leader that was stopped and does not know it yet takes nothing of a later epoch away", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStore
        const user = UserId.make("links")
        const id = newId(ExportId)
        const key = TaskKey.make("a".repeat(64))
        const object = taskFile(user, key, "node", "made.mp4")
        yield* store.put(object, bytes("made"))
        for (const epoch of [1, 3, 20]) yield* store.put(exportFile(user, id, epoch, "a.mp4"), bytes(`${epoch}`))
        const manifest: Manifest = {
          v: 1,
          key,
          files: [
            {
              role: "media",
              object,
              name: "a.mp4",
              contentType: "video/mp4",
              bytes: 4,
              sha256: Digest.make("0".repeat(64)),
              frames: 1,
              duration: 1,
              width: 2,
              height: 2
            }
          ],
          family: null,
          nodeId: NodeId.make("node"),
          seconds: 1,
          madeAt: yield* DateTime.now
        }
        const outputs = yield* linkOutputs(store, { _tag: "Link", id, user, token: 1, epoch: 2, manifest })
        assert.deepStrictEqual(
          outputs.map((output) => output.object),
          [exportFile(user, id, 2, "a.mp4")]
        )
        const there = (epoch: number) =>
          Effect.map(store.head(exportFile(user, id, epoch, "a.mp4")), (info) => info !== null)
        assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 20], there), [false, true, true, true])
      })
    )

    it.effect("a row that this version cannot read is nobody else's trouble", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const ledger = yield* Ledger
        const user = UserId.make("rows")
        const id = yield* database.query("export", async (db) => insertExport(db, user, await insertVideo(db, user)))
        const newer = newId(ExportId)
        yield* database.query("newer", (db) =>
          db.execute(sql`insert into exports
            (id, user_id, video_id, type, delivery, settings, request_digest, spec, frames, duration_micros)
          select ${newer}, user_id, video_id, type, delivery, settings, request_digest,
            jsonb_set(spec, '{target,codec}', '"unheard-of"'), frames, duration_micros
          from exports where id = ${id}`)
        )
        const { rows, unreadable } = yield* ledger.rows([id, newer, newId(ExportId)])
        assert.deepStrictEqual(
          rows.map((row) => row.id),
          [id]
        )
        assert.deepStrictEqual(unreadable, [newer])
      })
    )

    it.effect("a log with what Postgres takes for no text is on record all the same", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const user = UserId.make("logs")
        const id = yield* database.query("export", async (db) => insertExport(db, user, await insertVideo(db, user)))
        const facts = {
          id,
          user,
          attempt: newId(AttemptId),
          epoch: 1,
          task: "a".repeat(64),
          kind: "internal",
          nodeId: NodeId.make("node"),
          family: null,
          error: exportError("render_error", "It crashed."),
          log: "title: a\0b",
          seconds: 1
        } as const
        yield* (yield* Ledger).recordAttempt(facts)
        const [row] = yield* database.query("attempt", (db) =>
          db.select().from(attempts).where(eq(attempts.exportId, id))
        )
        assert.strictEqual(row?.log, "title: ab")
      })
    )

    it.effect("an export whose frames could not be copied once is read as such", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const ledger = yield* Ledger
        const user = UserId.make("copied")
        const id = yield* database.query("export", async (db) => insertExport(db, user, await insertVideo(db, user)))
        const noSmartCut = Effect.map(ledger.rows([id]), ({ rows }) => rows.map((row) => row.noSmartCut))
        yield* database.query("begun", (db) =>
          db.execute(sql`update exports set status = 'processing', epoch = 1, started_at = now(),
            plan = '{}', encoder = 'software' where id = ${id}`)
        )
        assert.deepStrictEqual(yield* noSmartCut, [false])
        yield* ledger.recordAttempt({
          id,
          user,
          attempt: newId(AttemptId),
          epoch: 1,
          task: "a".repeat(64),
          kind: "smartcut",
          nodeId: NodeId.make("node"),
          family: null,
          error: exportError("render_error", "It differs."),
          log: "",
          seconds: 1
        })
        assert.deepStrictEqual(yield* noSmartCut, [true])
      })
    )
  }
)
