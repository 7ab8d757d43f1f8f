import { assert, describe, it } from "@effect/vitest"
import { Digest, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskFile, taskManifest } from "@reelay/contracts/ObjectKeys"
import type { Manifest } from "@reelay/contracts/Plan"
import { findManifest, putManifest, readManifestAt, removeManifest } from "@reelay/platform/Manifests"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { ConfigProvider, DateTime, Effect, Layer, Stream } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const USER = UserId.make("someone")
const KEY = TaskKey.make("ab".repeat(32))
const OBJECT = taskManifest(USER, KEY)
const MANIFEST: Manifest = {
  v: 1,
  key: KEY,
  files: [
    {
      role: "media",
      object: taskFile(USER, KEY, "one", "chunk.mp4"),
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
  nodeId: NodeId.make("one"),
  seconds: 1,
  madeAt: DateTime.makeUnsafe("2026-11-20T00:00:00Z")
}

const aStore = Layer.unwrap(
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-manifests-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  ).pipe(
    Effect.map((folder) =>
      Layer.fresh(ObjectStoreDirectory.layer).pipe(
        Layer.provide(
          ConfigProvider.layer(ConfigProvider.fromUnknown({ REELAY_STORE: folder, REELAY_STORE_RESERVE_BYTES: "0" }))
        )
      )
    )
  )
)
const inStore = Effect.provide(aStore, { local: true })
const lies = (store: ObjectStore["Service"], text: string) =>
  store.put(OBJECT, Stream.make(new TextEncoder().encode(text)))

describe("Manifests", () => {
  it.live("the first is the one that holds", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      assert.deepStrictEqual(yield* findManifest(store, USER, KEY), { _tag: "None" })
      assert.isTrue(yield* putManifest(store, USER, MANIFEST))
      assert.isFalse(yield* putManifest(store, USER, { ...MANIFEST, nodeId: NodeId.make("two") }))
      assert.deepStrictEqual(yield* findManifest(store, USER, KEY), { _tag: "Done", manifest: MANIFEST })
    }).pipe(inStore)
  )

  it.live("what a power cut left of one is removed by who wants the work, and only seen by who does not", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      for (const rest of ["", `{"v":1,"key":"ab`, `{"v":1}`, "\0\0\0\0"]) {
        yield* lies(store, rest)
        assert.deepStrictEqual(yield* readManifestAt(store, OBJECT), { _tag: "Broken" })
        assert.isNotNull(yield* store.head(OBJECT))
        assert.deepStrictEqual(yield* findManifest(store, USER, KEY), { _tag: "None" })
        assert.isNull(yield* store.head(OBJECT))
      }
    }).pipe(inStore)
  )

  it.live("a good one that took a broken one's place stays", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* lies(store, "broken")
      // Between the reading and the removal another worker has done the work.
      const meanwhile = {
        ...store,
        find: (key: string) =>
          store
            .find(key)
            .pipe(
              Effect.tap((bytes) =>
                bytes?.length === 6
                  ? store.remove(OBJECT).pipe(Effect.andThen(putManifest(store, USER, MANIFEST)))
                  : Effect.void
              )
            )
      }
      const done = { _tag: "Done" as const, manifest: MANIFEST }
      assert.deepStrictEqual(yield* findManifest(meanwhile, USER, KEY), done)
      // Nor does anybody remove it who found another wanting.
      const other = { ...MANIFEST, files: MANIFEST.files.map((file) => ({ ...file, object: "cache/x" })) }
      yield* removeManifest(store, USER, other)
      assert.deepStrictEqual(yield* readManifestAt(store, OBJECT), done)
      yield* removeManifest(store, USER, MANIFEST)
      assert.deepStrictEqual(yield* readManifestAt(store, OBJECT), { _tag: "None" })
    }).pipe(inStore)
  )

  it.live("a newer Reelay's is neither done nor anybody's to remove", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* lies(store, `{"v":2,"whatever":"it says"}`)
      assert.deepStrictEqual(yield* findManifest(store, USER, KEY), { _tag: "Newer", version: 2 })
      assert.isFalse(yield* putManifest(store, USER, MANIFEST))
      assert.deepStrictEqual(yield* readManifestAt(store, OBJECT), { _tag: "Newer", version: 2 })
    }).pipe(inStore)
  )
})
