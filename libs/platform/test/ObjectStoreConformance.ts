import { assert, layer } from "@effect/vitest"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import type { Layer } from "effect"
import * as fc from "fast-check"
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const whole = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Stream.runCollect(stream).pipe(Effect.map((chunks) => Buffer.concat(chunks).toString()))
const reasonOf = <A>(effect: Effect.Effect<A, ObjectStoreError>) =>
  effect.pipe(
    Effect.flip,
    Effect.map((error) => error.reason)
  )

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-objects-"))),
  (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
)

/** What every store must do, whatever it is made of. The layer is an empty store. */
export const objectStoreConformance = (name: string, store: Layer.Layer<ObjectStore, unknown>) =>
  layer(store, { excludeTestServices: true })(name, (it) => {
    it.effect("holds what was put, whole, until it is replaced or removed", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        assert.isNull(yield* objects.head("a/b/c"))
        assert.strictEqual(yield* objects.put("a/b/c", Stream.make(bytesOf("one "), bytesOf("two"))), 7)
        assert.strictEqual(yield* whole(objects.get("a/b/c")), "one two")
        assert.strictEqual(Buffer.from(yield* objects.getBytes("a/b/c")).toString(), "one two")
        const info = yield* objects.head("a/b/c")
        assert.deepInclude(info, { key: "a/b/c", size: 7 })
        assert.approximately(info?.modifiedMillis ?? 0, Date.now(), 60_000)
        yield* objects.put("a/b/c", Stream.make(bytesOf("other")))
        assert.strictEqual(yield* whole(objects.get("a/b/c")), "other")
        yield* objects.remove("a/b/c")
        yield* objects.remove("a/b/c")
        assert.isNull(yield* objects.head("a/b/c"))
        assert.strictEqual(yield* objects.put("empty", Stream.empty), 0)
        assert.strictEqual(yield* whole(objects.get("empty")), "")
      })
    )

    it.effect("removes what it is, and not what has taken its place", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("if/one", Stream.make(bytesOf("one")))
        assert.isFalse(yield* objects.removeIf("if/one", bytesOf("two")))
        assert.strictEqual(yield* whole(objects.get("if/one")), "one")
        assert.isTrue(yield* objects.removeIf("if/one", bytesOf("one")))
        assert.isNull(yield* objects.head("if/one"))
        assert.isFalse(yield* objects.removeIf("if/one", bytesOf("one")))
      })
    )

    it.effect("knows when it was of use last", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("used/one", Stream.make(bytesOf("one")))
        const before = (yield* objects.head("used/one"))?.modifiedMillis ?? 0
        yield* Effect.sleep(5)
        yield* objects.touch("used/one")
        assert.isAbove((yield* objects.head("used/one"))?.modifiedMillis ?? 0, before)
        yield* objects.touch("used/none")
        assert.isNull(yield* objects.head("used/none"))
      })
    )

    it.effect("says not_found for what is not there, and for what only looks like a folder", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("n/x/file", Stream.make(bytesOf("x")))
        for (const key of ["n/absent", "n/x", "n/x/file/below"]) {
          assert.isNull(yield* objects.head(key), key)
          assert.strictEqual(yield* reasonOf(whole(objects.get(key))), "not_found", key)
          assert.strictEqual(yield* reasonOf(objects.getBytes(key)), "not_found", key)
          assert.isNull(yield* objects.find(key), key)
          assert.strictEqual(yield* reasonOf(Effect.scoped(objects.fetch(key))), "not_found", key)
          assert.strictEqual(yield* reasonOf(objects.link(key, "n/elsewhere")), "not_found", key)
        }
        assert.isNull(yield* objects.head("n/elsewhere"))
      })
    )

    it.effect("reads any range", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const text = Array.from({ length: 600_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join("")
        yield* objects.put("ranges", Stream.make(bytesOf(text)))
        const context = yield* Effect.context<ObjectStore>()
        const property = fc.asyncProperty(fc.nat(650_000), fc.nat(650_000), async (start, end) => {
          const read = await Effect.runPromiseWith(context)(whole(objects.get("ranges", { start, end })))
          assert.strictEqual(read, start < end ? text.slice(start, end) : "")
        })
        yield* Effect.promise(() => fc.assert(property, { numRuns: 50 }))
      })
    )

    it.effect("puts conditionally: of many, one wins, and what it put is what is there", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const wins = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => objects.putIfAbsent("race/key", bytesOf(`writer ${n}`)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(wins.filter((won) => won).length, 1)
        assert.strictEqual(yield* whole(objects.get("race/key")), `writer ${wins.indexOf(true)}`)
        assert.isFalse(yield* objects.putIfAbsent("race/key", bytesOf("late")))
        assert.isFalse(yield* objects.putIfAbsent("race/key", bytesOf("later"), { durable: false }))
        assert.isTrue(yield* objects.putIfAbsent("race/other", bytesOf("first"), { durable: false }))
        assert.deepStrictEqual(yield* objects.find("race/other"), Buffer.from("first"))
        assert.strictEqual(yield* whole(objects.get("race/key")), `writer ${wins.indexOf(true)}`)
      })
    )

    it.effect("shows nothing of a put that failed or was given up", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const broken = yield* objects
          .put("half", Stream.make(bytesOf("half")).pipe(Stream.concat(Stream.fail("broken" as const))))
          .pipe(Effect.flip)
        assert.strictEqual(broken, "broken")
        const started = Promise.withResolvers<void>()
        const slow = Stream.make(bytesOf("half")).pipe(
          Stream.tap(() => Effect.sync(() => started.resolve())),
          Stream.concat(Stream.never)
        )
        const putting = yield* objects.put("half", slow).pipe(Effect.forkChild)
        yield* Effect.promise(() => started.promise)
        assert.isNull(yield* objects.head("half"))
        yield* Fiber.interrupt(putting)
        assert.isNull(yield* objects.head("half"))
        assert.deepStrictEqual(
          (yield* Stream.runCollect(objects.list(""))).filter(({ key }) => key.startsWith("half")),
          []
        )
      })
    )

    it.effect("takes local files over, and gives objects as local files", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const path = join(yield* folder, "made")
        yield* Effect.promise(() => writeFile(path, "from a file"))
        yield* objects.putFile("files/one", path)
        assert.strictEqual(yield* whole(objects.get("files/one")), "from a file")
        yield* Effect.promise(() =>
          stat(path).then(
            () => assert.fail("it was moved"),
            () => {}
          )
        )
        const local = yield* objects.fetch("files/one")
        assert.strictEqual(yield* Effect.promise(() => readFile(local, "utf8")), "from a file")
        assert.strictEqual(yield* reasonOf(objects.putFile("files/two", join(path, "absent"))), "not_found")
        assert.isNull(yield* objects.head("files/two"))
      })
    )

    it.effect("gives folders to work in, on the way into the store, gone with their scope", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const scope = yield* Scope.make()
        const place = yield* objects.workspace.pipe(Scope.provide(scope))
        const other = yield* objects.workspace
        assert.notStrictEqual(place, other)
        yield* Effect.promise(() => writeFile(join(place, "result"), "made here"))
        yield* Effect.promise(() => writeFile(join(place, "rest"), "left over"))
        yield* objects.putFile("worked/result", join(place, "result"))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.promise(() =>
          stat(place).then(
            () => assert.fail("it is gone"),
            () => {}
          )
        )
        assert.strictEqual(yield* whole(objects.get("worked/result")), "made here")
        assert.deepStrictEqual(
          (yield* Stream.runCollect(objects.list("worked/"))).map(({ key }) => key),
          ["worked/result"]
        )
      })
    )

    it.effect("links: the same bytes under another name, which outlive the first; what is there stays", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("links/from", Stream.make(bytesOf("linked")))
        yield* objects.put("links/taken", Stream.make(bytesOf("mine")))
        yield* objects.link("links/from", "links/deep/er/to")
        yield* objects.link("links/from", "links/deep/er/to")
        yield* objects.link("links/from", "links/taken")
        yield* objects.remove("links/from")
        assert.strictEqual(yield* whole(objects.get("links/deep/er/to")), "linked")
        assert.strictEqual(yield* whole(objects.get("links/taken")), "mine")
        // Replacing one name leaves the other's bytes alone.
        yield* objects.put("links/again", Stream.make(bytesOf("new")))
        yield* objects.link("links/deep/er/to", "links/twin")
        yield* objects.put("links/twin", Stream.make(bytesOf("replaced")))
        assert.strictEqual(yield* whole(objects.get("links/deep/er/to")), "linked")
      })
    )

    it.effect("lists and removes by prefix, and nothing else", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const keys = ["t/one/a", "t/one/b/c", "t/one/b/d", "t/onetwo/e", "t/f"]
        yield* Effect.forEach(keys, (key) => objects.put(key, Stream.make(bytesOf(key))))
        const listed = (prefix: string) =>
          Stream.runCollect(objects.list(prefix)).pipe(Effect.map((found) => found.map(({ key }) => key).toSorted()))
        assert.deepStrictEqual(yield* listed("t/"), keys.toSorted())
        assert.deepStrictEqual(yield* listed("t/one/"), ["t/one/a", "t/one/b/c", "t/one/b/d"])
        assert.deepStrictEqual(yield* listed("t/none/"), [])
        assert.includeMembers([...(yield* listed(""))], keys)
        yield* objects.removeAll("t/one/")
        yield* objects.removeAll("t/one/")
        assert.deepStrictEqual(yield* listed("t/"), ["t/f", "t/onetwo/e"])
      })
    )

    it.effect("survives puts and prunes in the same folders", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const rounds = Array.from({ length: 60 }, (_, n) => n)
        yield* Effect.all(
          [
            Effect.forEach(rounds, (n) => objects.put(`busy/a/b/${n}`, Stream.make(bytesOf("x"))), { concurrency: 4 }),
            Effect.forEach(rounds, (n) => objects.remove(`busy/a/b/${n - 3}`), { concurrency: 4 }),
            Effect.forEach(rounds, () => objects.removeAll("busy/other/"), { concurrency: 4 })
          ],
          { concurrency: 3 }
        )
        yield* objects.removeAll("busy/")
        assert.deepStrictEqual(yield* Stream.runCollect(objects.list("busy/")), [])
      })
    )

    it.effect("refuses every key that could mean another place", () =>
      Effect.gen(function* () {
        const objects = yield* ObjectStore
        const bad = [
          "",
          "/etc/passwd",
          "../up",
          "a/../../up",
          "a/./b",
          "a//b",
          "a/",
          "a/b\u0000c",
          "a\\..\\b",
          "a/\n",
          "a/\ud800",
          ".tmp/x",
          ".TMP/x",
          "x".repeat(256),
          "x/".repeat(600) + "x"
        ]
        const path = join(yield* folder, "file")
        yield* Effect.promise(() => writeFile(path, "x"))
        for (const key of bad) {
          const said = JSON.stringify(key.slice(0, 40))
          assert.strictEqual(yield* reasonOf(objects.head(key)), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(whole(objects.get(key))), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.put(key, Stream.make(bytesOf("x")))), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.putIfAbsent(key, bytesOf("x"))), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.putFile(key, path)), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.link("links/twin", key)), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.remove(key)), "invalid_key", said)
          assert.strictEqual(yield* reasonOf(objects.removeAll(`${key}/`)), "invalid_key", said)
        }
        // A prefix ends in a slash, so that `exports/1` never means `exports/12`; and nothing removes everything.
        assert.strictEqual(yield* reasonOf(objects.removeAll("a/b")), "invalid_key")
        assert.strictEqual(yield* reasonOf(objects.removeAll("")), "invalid_key")
        assert.strictEqual(yield* reasonOf(Stream.runDrain(objects.list("a/b"))), "invalid_key")
        yield* objects.put("names/ünï côde 'quoted' $HOME;.mp4", Stream.make(bytesOf("x")))
        assert.strictEqual((yield* objects.head("names/ünï côde 'quoted' $HOME;.mp4"))?.size, 1)
      })
    )
  })
