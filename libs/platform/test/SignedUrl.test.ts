import { assert, describe, it } from "@effect/vitest"
import { secretKey, SignedUrl } from "@reelay/platform/SignedUrl"
import { ConfigProvider, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const secretFile = (bytes: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = await mkdtemp(join(tmpdir(), "reelay-secret-"))
      const file = join(folder, "secret")
      await writeFile(file, randomBytes(bytes), { mode: 0o600 })
      return { folder, file }
    }),
    ({ folder }) => Effect.promise(() => rm(folder, { recursive: true }))
  )

const configuration = (file: string) => ConfigProvider.layer(ConfigProvider.fromUnknown({ REELAY_SECRET_FILE: file }))

const signedUrls = Effect.gen(function* () {
  const { file } = yield* secretFile(32)
  return yield* SignedUrl.pipe(
    Effect.provide(SignedUrl.layer.pipe(Layer.provide(configuration(file))), { local: true })
  )
})

const queryOf = (url: string) => Object.fromEntries(new URL(url, "http://x").searchParams)

describe("signed URLs", () => {
  it.effect("let in what they name until they expire, and nothing else", () =>
    Effect.gen(function* () {
      const { sign, verify } = yield* signedUrls
      const path = "/api/videos/1/content"
      const url = sign(path, 3600)
      assert.strictEqual(new URL(url, "http://x").pathname, path)
      const query = queryOf(url)
      assert.isTrue(yield* verify(path, query))
      assert.isFalse(yield* verify("/api/videos/2/content", query))
      assert.isFalse(yield* verify(path, { ...query, expires: "7200" }))
      assert.isFalse(yield* verify(path, { ...query, expires: " 3600" }))
      assert.isFalse(yield* verify(path, { ...query, signature: "" }))
      assert.isFalse(yield* verify(path, { ...query, signature: `${query["signature"]}AA` }))
      assert.isFalse(
        yield* verify(path, { ...query, signature: query["signature"]?.replace(/^./, (c) => (c === "A" ? "B" : "A")) })
      )
      assert.isFalse(yield* verify(path, { expires: "3600" }))
      assert.isFalse(yield* verify(path, {}))
      assert.isFalse(yield* (yield* signedUrls).verify(path, query))
      yield* TestClock.adjust("3599 seconds")
      assert.isTrue(yield* verify(path, query))
      yield* TestClock.adjust("1 seconds")
      assert.isFalse(yield* verify(path, query))
    })
  )

  it.effect("need a secret that is one", () =>
    Effect.gen(function* () {
      const short = yield* secretFile(31)
      for (const file of [short.file, join(short.folder, "absent")]) {
        const error = yield* secretKey("test").pipe(Effect.provide(configuration(file)), Effect.flip)
        assert.strictEqual(error._tag, "SecretError")
      }
      const { file } = yield* secretFile(32)
      const keys = yield* Effect.forEach(["a", "a", "b"], (purpose) =>
        secretKey(purpose).pipe(
          Effect.provide(configuration(file)),
          Effect.map((key) => key.toString("hex"))
        )
      )
      assert.strictEqual(keys[0], keys[1])
      assert.notStrictEqual(keys[0], keys[2])
    })
  )
})
