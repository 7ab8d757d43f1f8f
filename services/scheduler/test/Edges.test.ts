import { assert, describe, it, layer } from "@effect/vitest"
import { Digest, ExportId, newId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { exportFile, taskFile } from "@reelay/contracts/ObjectKeys"
import type { Manifest } from "@reelay/contracts/Plan"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import * as Directory from "@reelay/platform/ObjectStoreDirectory"
import { insertExport, insertVideo } from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { sql } from "drizzle-orm"
import { Cause, DateTime, Deferred, Effect, Exit, Layer, Stream } from "effect"
import { Ledger } from "../src/Ledger.ts"
import { makeLines } from "../src/Lines.ts"
import { linkOutputs } from "../src/Manifests.ts"

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

describe("Lines", () => {
  it.effect("a mistake of ours is heard of, and not a line that nobody serves", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      lines.add(newId(ExportId), Effect.die("a bug"))
      const exit = yield* Effect.exit(lines.broken.pipe(Effect.timeout("5 seconds")))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === "a bug")
    }).pipe(Effect.scoped))

  it.effect("in order within an export, across exports at once", () =>
    Effect.gen(function* () {
      const lines = yield* makeLines
      const [one, other] = [newId(ExportId), newId(ExportId)]
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const order: Array<string> = []
      const say = (word: string) => Effect.sync(() => void order.push(word))
      lines.add(one, Deferred.await(gate).pipe(Effect.andThen(say("first"))))
      lines.add(one, say("second").pipe(Effect.andThen(Deferred.succeed(done, undefined)), Effect.asVoid))
      lines.add(other, say("other").pipe(Effect.andThen(Deferred.succeed(gate, undefined)), Effect.asVoid))
      yield* Deferred.await(done)
      assert.deepStrictEqual(order, ["other", "first", "second"])
    }).pipe(Effect.scoped))
})

const stores = Layer.mergeAll(Directory.layer, Ledger.layer.pipe(Layer.provideMerge(Database.layer))).pipe(
  Layer.provideMerge(Infra.layer)
)
layer(stores, { excludeTestServices: true, timeout: "60 seconds" })("among real servers", (it) => {
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
      assert.deepStrictEqual(outputs.map((output) => output.object), [exportFile(user, id, 2, "a.mp4")])
      const there = (epoch: number) => Effect.map(store.head(exportFile(user, id, epoch, "a.mp4")), (info) => info !== null)
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 20], there), [false, true, true, true])
    }))

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
      assert.deepStrictEqual(rows.map((row) => row.id), [id])
      assert.deepStrictEqual(unreadable, [newer])
    }))
})
