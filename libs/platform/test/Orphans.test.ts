import { assert, describe, it } from "@effect/vitest"
import { openLedger, sweep } from "@reelay/platform/Orphans"
import { ownIdentity, startOf } from "@reelay/platform/ProcessIdentity"
import { Effect } from "effect"
import { execa } from "execa"
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-orphans-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** Something that runs, in a group of its own. */
const sleeper = Effect.acquireRelease(
  Effect.sync(() => execa("sleep", ["100"], { reject: false, killDescendants: true })),
  (child) =>
    Effect.promise(async () => {
      child.kill("SIGKILL")
      await child
    })
)
const pidOf = (child: { readonly pid?: number | undefined }): number => child.pid ?? 0

describe("Orphans", () => {
  it.live("ends what a dead service noted, and nothing that only has its number", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const [orphan, stranger] = [yield* sleeper, yield* sleeper]
      // A service of this host that is no more.
      const dead = ownIdentity.replace(/-\d+-\w+$/, "-999999999-1")
      yield* Effect.promise(async () => {
        await mkdir(join(folder, dead))
        await writeFile(join(folder, dead, `${pidOf(orphan)}-${startOf(pidOf(orphan))}`), "")
        await writeFile(join(folder, dead, `${pidOf(stranger)}-another-moment`), "")
        await writeFile(join(folder, dead, "not-a-note"), "")
      })
      assert.strictEqual(yield* sweep(folder), 1)
      assert.strictEqual((yield* Effect.promise(() => orphan)).signal, "SIGKILL")
      assert.isNotNull(startOf(pidOf(stranger)))
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), [])
    })
  )

  it.live("believes no note that somebody else could have written", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const child = yield* sleeper
      const dead = ownIdentity.replace(/-\d+-\w+$/, "-999999999-1")
      yield* Effect.promise(async () => {
        await mkdir(join(folder, dead))
        await writeFile(join(folder, dead, `${pidOf(child)}-${startOf(pidOf(child))}`), "")
        await chmod(folder, 0o777)
      })
      assert.strictEqual(yield* sweep(folder), 0)
      assert.isNotNull(startOf(pidOf(child)))
      yield* Effect.promise(() => chmod(folder, 0o700))
      assert.strictEqual(yield* sweep(folder), 1)
    })
  )

  it.live("leaves alone what living services noted, and those of other hosts", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const child = yield* sleeper
      const ledger = yield* openLedger(folder)
      yield* ledger.note(pidOf(child))
      yield* Effect.promise(() => mkdir(join(folder, "0123456789ab-1-1")))
      assert.strictEqual(yield* sweep(folder), 0)
      assert.isNotNull(startOf(pidOf(child)))
      assert.sameMembers(yield* Effect.promise(() => readdir(folder)), [ownIdentity, "0123456789ab-1-1"])
      yield* ledger.strike(pidOf(child))
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(join(folder, ownIdentity))), [])
    })
  )
})
