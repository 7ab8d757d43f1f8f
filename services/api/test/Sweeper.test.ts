import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Database } from "@reelay/platform/Database"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { ConfigProvider, Effect, Layer, References } from "effect"
import { access, mkdir, readdir, utimes, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { ownerOf, sweep } from "../src/Sweeper.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { complete } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"

describe("Sweeper", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi(), TinyClips.make()])
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  const run = () =>
    Effect.runPromise(
      sweep().pipe(
        Effect.provide(
          Layer.merge(
            ObjectStoreDirectory.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(api.env)))),
            Layer.succeed(Database, api.database).pipe(Layer.merge(Layer.succeed(References.MinimumLogLevel, "None")))
          )
        )
      )
    )
  const put = async (key: string, hours: number) => {
    const path = join(api.infra.store, key)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, "x")
    const at = new Date(Date.now() - hours * 3_600_000)
    await utimes(path, at, at)
  }
  const ageAll = async () => {
    const at = new Date(Date.now() - 48 * 3_600_000)
    for (const entry of await readdir(api.infra.store, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), at, at)
    }
  }
  const isThere = (key: string) =>
    access(join(api.infra.store, key)).then(
      () => true,
      () => false
    )
  const id = (n: number) => `0198c9a0-0000-7000-8000-${String(n).padStart(12, "0")}`

  it("takes what no row names and is old, and nothing else", async () => {
    const file = await clips.plain("kept.mp4")
    const video = await api.upload(file)
    const made = await api.start({ videoId: video.id })
    await complete(api, made, file)
    await ageAll()
    await put(`sources/bG9jYWw/${id(1)}/media`, 48)
    await put(`sources/bG9jYWw/${id(2)}/media`, 48)
    // Still being made: one of its objects is young.
    await put(`sources/bG9jYWw/${id(2)}/index.json`, 1)
    await put(`exports/bG9jYWw/${id(3)}/1/a.mp4`, 48)
    await put(`plans/bG9jYWw/${id(4)}/1.json`, 48)
    await put(`cache/bG9jYWw/${"a".repeat(64)}/manifest.json`, 48)
    await put("sources/notes.txt", 48)
    assert.sameMembers(
      [...(await run())],
      [`sources/bG9jYWw/${id(1)}/`, `exports/bG9jYWw/${id(3)}/`, `plans/bG9jYWw/${id(4)}/`]
    )
    assert.isFalse(await isThere(`sources/bG9jYWw/${id(1)}/media`))
    for (const key of [
      `sources/bG9jYWw/${id(2)}/media`,
      `cache/bG9jYWw/${"a".repeat(64)}/manifest.json`,
      "sources/notes.txt",
      `sources/bG9jYWw/${video.id}/media`,
      `exports/bG9jYWw/${made.id}/1-${made.id}.mp4`
    ]) {
      assert.isTrue(await isThere(key), key)
    }
    assert.deepStrictEqual(await run(), [])
  })

  it("takes what an encoder made that was killed before its manifest was there", async () => {
    const folder = (letter: string) => `cache/bG9jYWw/${letter.repeat(64)}/`
    const manifest = {
      v: 1,
      key: "b".repeat(64),
      files: [
        {
          role: "media",
          object: `${folder("b")}winner-chunk.mp4`,
          name: "chunk.mp4",
          contentType: "video/mp4",
          bytes: 1,
          sha256: "0".repeat(64),
          frames: 1,
          duration: 1,
          width: 2,
          height: 2
        }
      ],
      family: null,
      nodeId: "winner",
      seconds: 1,
      madeAt: "2026-11-20T00:00:00Z"
    }
    await put(`${folder("b")}winner-chunk.mp4`, 48)
    await put(`${folder("b")}killed-chunk.mp4`, 48)
    // As earlier versions put them.
    await put(`${folder("b")}killed/chunk.mp4`, 48)
    await writeFile(join(api.infra.store, `${folder("b")}manifest.json`), JSON.stringify(manifest))
    await put(`${folder("c")}killed-chunk.mp4`, 48)
    await put(`${folder("c")}working-chunk.mp4`, 1)
    // Of a version that this one cannot read: what it names is not known.
    await put(`${folder("d")}newer-chunk.mp4`, 48)
    await writeFile(join(api.infra.store, `${folder("d")}manifest.json`), `{"v":2}`)
    // What a power cut left.
    await put(`${folder("e")}manifest.json`, 48)
    await put(`${folder("e")}lost-chunk.mp4`, 48)
    assert.sameMembers(
      [...(await run())],
      [
        `${folder("b")}killed-chunk.mp4`,
        `${folder("b")}killed/chunk.mp4`,
        `${folder("c")}killed-chunk.mp4`,
        `${folder("e")}lost-chunk.mp4`
      ]
    )
    for (const key of [`${folder("b")}winner`, `${folder("c")}working`, `${folder("d")}newer`]) {
      assert.isTrue(await isThere(`${key}-chunk.mp4`), key)
    }
    assert.isFalse(await isThere(`${folder("b")}killed`))
    assert.isFalse(await isThere(folder("e")))
  })

  it("leaves a store alone that this database knows little of", async () => {
    for (let n = 100; n < 120; n++) await put(`sources/bG9jYWw/${id(n)}/media`, 48)
    assert.deepStrictEqual(await run(), [])
    assert.isTrue(await isThere(`sources/bG9jYWw/${id(100)}/media`))
  })

  it("knows whose an object is", () => {
    assert.deepStrictEqual(ownerOf(`plans/u/${id(1)}/1.json`), { id: id(1), folder: `plans/u/${id(1)}/` })
    for (const key of ["plans/u/1.json", `plans/u/${id(1)}`, "a", ""]) assert.isNull(ownerOf(key))
  })
})
