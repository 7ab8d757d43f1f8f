import { assert, describe, it } from "@effect/vitest"
import { writeZip } from "@reelay/encoder/Zip"
import { Effect, Stream } from "effect"
import { Zip } from "effect/encoding"
import { execFileSync } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-zip-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** Files of several sizes, among them none at all and one larger than a block; names that are not ASCII. */
const someFiles = Effect.gen(function* () {
  const place = yield* folder
  const bodies = [
    ["01 Anfang – größer.mp4", randomBytes(2_500_000)],
    ["02 leer.mp4", Buffer.alloc(0)],
    ["03 日本語 🎬.mp4", Buffer.concat([Buffer.from("PK\x07\x08 looks like a descriptor"), randomBytes(1000)])],
    ["04 plain.mp4", randomBytes(1024 * 1024)]
  ] as const
  const entries = yield* Effect.forEach(bodies, ([name, bytes], i) =>
    Effect.promise(async () => {
      const path = join(place, `body-${i}`)
      await writeFile(path, bytes)
      return { name, path, bytes }
    })
  )
  return { place, entries }
})

const python = `
import json, sys, zipfile, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps([[i.filename, i.file_size, i.compress_type, list(i.date_time), hashlib.sha256(z.read(i)).hexdigest()] for i in z.infolist()]))
`
const readByPython = (path: string): unknown =>
  JSON.parse(execFileSync("python3", ["-c", python, path], { encoding: "utf8" }))
const expected = (entries: ReadonlyArray<{ readonly name: string; readonly bytes: Buffer }>) =>
  entries.map(({ name, bytes }) => [
    name,
    bytes.length,
    0,
    [1980, 1, 1, 0, 0, 0],
    createHash("sha256").update(bytes).digest("hex")
  ])

describe("writeZip", () => {
  it.live("makes what other programs read, and the same bytes each time", () =>
    Effect.gen(function* () {
      const { place, entries } = yield* someFiles
      const first = join(place, "first.zip")
      const bytes = yield* writeZip(first, entries)
      const content = yield* Effect.promise(() => readFile(first))
      assert.strictEqual(content.length, bytes)
      assert.deepStrictEqual(readByPython(first), expected(entries))
      execFileSync("unzip", ["-tqq", first])

      const second = join(place, "second.zip")
      yield* writeZip(second, entries)
      assert.isTrue(content.equals(yield* Effect.promise(() => readFile(second))))

      // A reader that works from a pipe, without the directory at the end.
      const streamed = yield* Stream.make(new Uint8Array(content)).pipe(
        Stream.pipeThroughChannel(Zip.decode()),
        Stream.mapEffect((entry) =>
          Stream.runFold(
            entry.body,
            () => 0,
            (size, piece) => size + piece.length
          ).pipe(Effect.map((size) => [entry.header.path, size, entry.header.size]))
        ),
        Stream.runCollect
      )
      assert.deepStrictEqual(
        streamed,
        entries.map(({ name, bytes }) => [name, bytes.length, bytes.length])
      )
    })
  )

  it.live("says large sizes and places in ZIP64", () =>
    Effect.gen(function* () {
      const { place, entries } = yield* someFiles
      const path = join(place, "large.zip")
      yield* writeZip(path, entries, { zip64From: 1_200_000 })
      assert.deepStrictEqual(readByPython(path), expected(entries))
      execFileSync("unzip", ["-tqq", path])
    })
  )

  it.live("holds no more files than its directory says, also when there is none", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const path = join(place, "empty.zip")
      assert.strictEqual(yield* writeZip(path, []), 22)
      assert.deepStrictEqual(readByPython(path), [])
    })
  )

  it.live("fails with the system's reason", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const missing = yield* Effect.flip(writeZip(join(place, "a.zip"), [{ name: "a", path: join(place, "nothing") }]))
      assert.strictEqual(missing.code, "ENOENT")
      yield* writeZip(join(place, "b.zip"), [])
      const there = yield* Effect.flip(writeZip(join(place, "b.zip"), []))
      assert.strictEqual(there.code, "EEXIST")
    })
  )
})
