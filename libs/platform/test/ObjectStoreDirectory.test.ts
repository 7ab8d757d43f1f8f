import { assert, describe, it } from "@effect/vitest"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { ownIdentity, startOf } from "@reelay/platform/ProcessIdentity"
import { ConfigProvider, Effect, Layer, Stream } from "effect"
import { execa } from "execa"
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { objectStoreConformance } from "./ObjectStoreConformance.ts"

const freshFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-store-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
)

const storeIn = (folder: string, reserve = 0) =>
  ObjectStoreDirectory.layer.pipe(
    Layer.provide(
      ConfigProvider.layer(
        ConfigProvider.fromUnknown({ REELAY_STORE: folder, REELAY_STORE_RESERVE_BYTES: String(reserve) })
      )
    )
  )
const inStore = (folder: string, reserve = 0) => Effect.provide(storeIn(folder, reserve), { local: true })

objectStoreConformance("ObjectStore in a directory", Layer.unwrap(Effect.map(freshFolder, (folder) => storeIn(folder))))

/** A process with a store in `folder` of its own, that does what the text says. */
const inProcess = (folder: string, body: string) => {
  const program = `
    import { ObjectStore } from "@reelay/platform/ObjectStore"
    import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
    import { Effect, Stream } from "effect"
    await Effect.gen(function*() {
      const objects = yield* ObjectStore
      ${body}
    }).pipe(Effect.scoped, Effect.provide(ObjectStoreDirectory.layer), Effect.runPromise)`
  return execa(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
    env: { REELAY_STORE: folder },
    stdin: "pipe",
    reject: false
  })
}

const temporaries = (folder: string) => Effect.promise(() => readdir(join(folder, ".tmp")))

describe("ObjectStore in a directory that processes share", () => {
  it.live("lets one process win a conditional put", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      const racers = Array.from({ length: 4 }, (_, n) => {
        const racer = inProcess(
          folder,
          `
          console.log("ready")
          yield* Effect.promise(() => new Promise((go) => process.stdin.once("data", go)))
          const wins = []
          for (let n = 0; n < 100; n++) {
            if (yield* objects.putIfAbsent("race/" + n, new TextEncoder().encode("${n}"))) wins.push(n)
          }
          console.log(JSON.stringify(wins))
          process.stdin.destroy()`
        )
        return { racer, lines: racer.iterable() }
      })
      const next = ({ lines }: (typeof racers)[number]) => lines.next().then(({ value }) => String(value))
      yield* Effect.promise(() => Promise.all(racers.map(next)))
      for (const { racer } of racers) racer.stdin?.write("go\n")
      const wins = yield* Effect.promise(() => Promise.all(racers.map(next)))
      const winnerOf = new Map<number, number>()
      wins.forEach((said, n) => {
        const won: ReadonlyArray<number> = JSON.parse(said)
        for (const key of won) {
          assert.isFalse(winnerOf.has(key), `two won ${key}`)
          winnerOf.set(key, n)
        }
      })
      assert.strictEqual(winnerOf.size, 100)
      for (const [key, n] of winnerOf) {
        assert.strictEqual(yield* Effect.promise(() => readFile(join(folder, "race", String(key)), "utf8")), String(n))
      }
    })
  )

  it.live("shows nothing of a writer that was killed, and sweeps what it left", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      const writer = inProcess(
        folder,
        `
        yield* objects.workspace
        yield* objects.put("big/object", Stream.make(new Uint8Array(1_000_000)).pipe(
          Stream.concat(Stream.fromEffect(Effect.sync(() => { console.log("half"); return new Uint8Array(1) }))),
          Stream.concat(Stream.fromEffect(Effect.never))))`
      )
      yield* Effect.promise(() => writer.iterable().next())
      assert.strictEqual((yield* temporaries(folder)).length, 2)
      // A living process' temporaries are its own.
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        assert.isNull(yield* objects.head("big/object"))
      }).pipe(inStore(folder))
      assert.strictEqual((yield* temporaries(folder)).length, 2)
      writer.kill("SIGKILL")
      yield* Effect.promise(() => writer)
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        assert.isNull(yield* objects.head("big/object"))
        assert.deepStrictEqual(yield* Stream.runCollect(objects.list("")), [])
        yield* temporaries(folder).pipe(Effect.repeat({ until: (names) => names.length === 0 }))
      }).pipe(inStore(folder))
    })
  )

  it.live("sweeps a stranger's temporaries only when they are old", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      const place = join(folder, ".tmp")
      const stranger = "0123456789ab-1-1"
      yield* Effect.promise(async () => {
        await mkdir(join(place, `${stranger}-old`), { recursive: true })
        await writeFile(join(place, `${stranger}-new`), "x")
        await writeFile(join(place, "nobody's"), "x")
        const twoDaysAgo = Date.now() / 1000 - 2 * 86_400
        await utimes(join(place, `${stranger}-old`), twoDaysAgo, twoDaysAgo)
        await utimes(join(place, "nobody's"), twoDaysAgo, twoDaysAgo)
      })
      yield* temporaries(folder).pipe(
        Effect.repeat({ until: (names) => names.length === 1 }),
        Effect.map((names) => assert.deepStrictEqual(names, [`${stranger}-new`])),
        inStore(folder)
      )
    })
  )

  it.live("refuses to fill the disk", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        const error = yield* Effect.flip(objects.put("x", Stream.make(new Uint8Array(1))))
        assert.strictEqual(error._tag, "ObjectStoreError")
        assert.strictEqual(error.reason, "no_space")
        assert.strictEqual((yield* Effect.flip(objects.putIfAbsent("x", new Uint8Array(1)))).reason, "no_space")
        assert.strictEqual(yield* objects.freeBytes, 0)
        assert.deepStrictEqual(yield* temporaries(folder), [])
      }).pipe(inStore(folder, Number.MAX_SAFE_INTEGER))
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        const free = (yield* objects.freeBytes) ?? 0
        assert.isAbove(free, 0)
        assert.isAtLeast((yield* objects.totalBytes) ?? 0, free)
      }).pipe(inStore(folder))
    })
  )

  it.live("says of which bytes there is another name", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("a/one", Stream.make(new Uint8Array(3)))
        const shared = Effect.map(objects.head("a/one"), (info) => info?.shared)
        assert.isFalse(yield* shared)
        yield* objects.link("a/one", "b/one")
        assert.isTrue(yield* shared)
        yield* objects.remove("b/one")
        assert.isFalse(yield* shared)
      }).pipe(inStore(folder))
    })
  )

  it.live("stops a put in the middle when the disk fills meanwhile", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      yield* Effect.gen(function* () {
        const free = (yield* (yield* ObjectStore).freeBytes) ?? 0
        // So little above the reserve that the first look passes and the second does not.
        yield* Effect.gen(function* () {
          const objects = yield* ObjectStore
          const chunk = new Uint8Array(1024 * 1024)
          const error = yield* Effect.flip(objects.put("x", Stream.range(1, 200).pipe(Stream.map(() => chunk))))
          assert.strictEqual(error.reason, "no_space")
          assert.isNull(yield* objects.head("x"))
        }).pipe(inStore(folder, free - 24 * 1024 * 1024))
      }).pipe(inStore(folder))
    })
  )

  it.live("has links that are links, and prunes the folders that it emptied", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.put("a/b/c/file", Stream.make(new Uint8Array(10)))
        yield* objects.put("a/other", Stream.make(new Uint8Array(10)))
        yield* objects.link("a/b/c/file", "z/file")
        const inode = (key: string) => Effect.promise(() => stat(join(folder, key)).then(({ ino }) => ino))
        assert.strictEqual(yield* inode("a/b/c/file"), yield* inode("z/file"))
        yield* objects.remove("a/b/c/file")
        assert.deepStrictEqual(yield* Effect.promise(() => readdir(join(folder, "a"))), ["other"])
        yield* objects.removeAll("z/")
        yield* objects.removeAll("a/")
        assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), [".tmp"])
      }).pipe(inStore(folder))
    })
  )

  it.live("takes files over from another file system, whole", () =>
    Effect.gen(function* () {
      const folder = yield* freshFolder
      const elsewhere = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp("/dev/shm/reelay-")),
        (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
      )
      const [here, there] = yield* Effect.promise(() => Promise.all([stat(folder), stat(elsewhere)]))
      assert.notStrictEqual(here.dev, there.dev, "this test needs two file systems")
      yield* Effect.promise(() => writeFile(join(elsewhere, "file"), "moved"))
      yield* Effect.gen(function* () {
        const objects = yield* ObjectStore
        yield* objects.putFile("moved/file", join(elsewhere, "file"))
        assert.strictEqual(Buffer.from(yield* objects.getBytes("moved/file")).toString(), "moved")
        assert.deepStrictEqual(yield* Effect.promise(() => readdir(elsewhere)), [])
        assert.deepStrictEqual(yield* temporaries(folder), [])
      }).pipe(inStore(folder))
    })
  )
})

describe("process identity", () => {
  it("is this process, and no process is nobody", () => {
    assert.include(ownIdentity, `-${process.pid}-`)
    assert.strictEqual(startOf(process.pid), startOf(process.pid))
    assert.isNull(startOf(2 ** 22 + 1))
  })
})
