import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sourceOf, targetOf } from "../src/client/Source.ts"

describe("where the result goes", () => {
  it.effect("a name that no file system takes is refused before anything is made", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true }))
      )
      const file = join(folder, `${"ä".repeat(122)}.mp4`)
      yield* Effect.promise(() => writeFile(file, "x"))
      const source = yield* sourceOf(file)
      const refused = yield* Effect.flip(targetOf(source, null, "720p", "mp4"))
      assert.match(refused.message, /too long.*-o/)
      assert.strictEqual(yield* targetOf(source, join(folder, "short.mp4"), "720p", "mp4"), join(folder, "short.mp4"))
    })
  )
})
