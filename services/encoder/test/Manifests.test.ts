import { assert, describe, it } from "@effect/vitest"
import { Digest, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskFile, taskManifest } from "@reelay/contracts/ObjectKeys"
import type { Manifest } from "@reelay/contracts/Plan"
import { Manifests } from "@reelay/encoder/Manifests"
import { ObjectStore, ObjectStoreError } from "@reelay/platform/ObjectStore"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { ConfigProvider, Context, DateTime, Effect, Layer, Stream } from "effect"
import { temporary } from "./support/Harness.ts"

const USER = UserId.make("someone")
const KEY = TaskKey.make("ab".repeat(32))

const by = (worker: string): Manifest => ({
  v: 1,
  key: KEY,
  files: [
    {
      role: "media",
      object: taskFile(USER, KEY, worker, "chunk.mp4"),
      name: "",
      contentType: "video/mp4",
      bytes: 5,
      sha256: Digest.make("00".repeat(32)),
      frames: 1,
      duration: 0.04,
      width: 16,
      height: 16
    }
  ],
  family: "software",
  nodeId: NodeId.make(worker),
  seconds: 1,
  madeAt: DateTime.makeUnsafe("2026-11-20T00:00:00Z")
})

/** Manifests in a fresh directory store, some of whose operations may be made to fail. */
const manifestsIn = Effect.fn("manifestsIn")(function* (
  broken: (store: ObjectStore["Service"]) => Partial<ObjectStore["Service"]>
) {
  const folder = yield* temporary
  const context = yield* Layer.build(
    Layer.fresh(ObjectStoreDirectory.layer).pipe(
      Layer.provide(
        ConfigProvider.layer(ConfigProvider.fromUnknown({ REELAY_STORE: folder, REELAY_STORE_RESERVE_BYTES: "0" }))
      )
    )
  )
  const store = Context.get(context, ObjectStore)
  const some = ObjectStore.of({ ...store, ...broken(store) })
  const manifests = Context.get(
    yield* Layer.build(Layer.fresh(Manifests.layer).pipe(Layer.provide(Layer.succeed(ObjectStore, some)))),
    Manifests
  )
  const bringFile = (worker: string) =>
    store.put(taskFile(USER, KEY, worker, "chunk.mp4"), Stream.make(new TextEncoder().encode("bytes")))
  return { manifests, store, bringFile }
})
const failure = (operation: string) => new ObjectStoreError({ operation, key: "", reason: "io" })

describe("Manifests", () => {
  it.live("the first to put wins, and everyone finds it", () =>
    Effect.gen(function* () {
      const { bringFile, manifests } = yield* manifestsIn(() => ({}))
      assert.isNull(yield* manifests.find(USER, KEY))
      yield* bringFile("one")
      assert.deepStrictEqual(yield* manifests.put(USER, by("one")), { _tag: "Won" })
      assert.deepStrictEqual(yield* manifests.put(USER, by("two")), { _tag: "Lost", manifest: by("one") })
      assert.deepStrictEqual(yield* manifests.find(USER, KEY), by("one"))
    })
  )

  it.live("one that cannot be read, or whose files are gone or changed, is none", () =>
    Effect.gen(function* () {
      const { bringFile, manifests, store } = yield* manifestsIn(() => ({}))
      const broken = new TextEncoder().encode(`{"v":1,"files":`)
      yield* store.putIfAbsent(taskManifest(USER, KEY), broken)
      assert.isNull(yield* manifests.find(USER, KEY))
      yield* manifests.put(USER, by("one"))
      assert.isNull(yield* manifests.find(USER, KEY))
      yield* bringFile("one")
      yield* manifests.put(USER, { ...by("one"), files: by("one").files.map((file) => ({ ...file, bytes: 6 })) })
      assert.isNull(yield* manifests.find(USER, KEY))
      assert.isNull(yield* store.head(taskManifest(USER, KEY)))
    })
  )

  it.live("an answer that was lost on its way is looked up", () =>
    Effect.gen(function* () {
      const { manifests } = yield* manifestsIn((store) => ({
        putIfAbsent: (key, bytes) =>
          store.putIfAbsent(key, bytes).pipe(Effect.andThen(Effect.fail(failure("putIfAbsent"))))
      }))
      assert.deepStrictEqual(yield* manifests.put(USER, by("one")), { _tag: "Won" })
      assert.deepStrictEqual(yield* manifests.put(USER, by("two")), { _tag: "Lost", manifest: by("one") })
    })
  )

  it.live("says whether it may have been written after all", () =>
    Effect.gen(function* () {
      const refuses = yield* manifestsIn(() => ({ putIfAbsent: () => Effect.fail(failure("putIfAbsent")) }))
      assert.deepStrictEqual(yield* refuses.manifests.put(USER, by("one")), { _tag: "Failed", perhaps: false })
      const away = yield* manifestsIn(() => ({
        putIfAbsent: () => Effect.fail(failure("putIfAbsent")),
        find: () => Effect.fail(failure("find"))
      }))
      assert.deepStrictEqual(yield* away.manifests.put(USER, by("one")), { _tag: "Failed", perhaps: true })
    })
  )
})
