import { assert, describe, it } from "@effect/vitest"
import { marked, sweep } from "@reelay/platform/Orphans"
import { ownIdentity, startOf } from "@reelay/platform/ProcessIdentity"
import { Effect } from "effect"
import { execa } from "execa"

/** Something that runs, with a mark. */
const sleeper = (by: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      execa("sleep", ["100"], { reject: false, env: Object.fromEntries(Object.keys(marked).map((key) => [key, by])) })
    ),
    (child) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await child
      })
  )
const runs = (child: { readonly pid?: number | undefined }): boolean => startOf(child.pid ?? 0) !== null
/** A service of this host that is no more: a number that none has, and one that another process has now. */
const dead = (pid: number) => ownIdentity.replace(/-\d+-\w+$/, `-${pid}-1`)

// Other tests start services meanwhile, which sweep too: who of them came first does not matter.
describe("Orphans", () => {
  it.live("ends what dead services left", () =>
    Effect.gen(function* () {
      const orphans = [yield* sleeper(dead(999_999_999)), yield* sleeper(dead(process.pid))]
      yield* sweep
      const ended = yield* Effect.promise(() => Promise.all(orphans))
      assert.deepStrictEqual(
        ended.map(({ signal }) => signal),
        ["SIGKILL", "SIGKILL"]
      )
    })
  )

  it.live("leaves alone what living services run, those of other hosts, and what bears no mark of ours", () =>
    Effect.gen(function* () {
      const others = [
        yield* sleeper(ownIdentity),
        yield* sleeper("0123456789ab-1-1"),
        yield* sleeper(""),
        yield* sleeper(`x${dead(999_999_999)}`)
      ]
      yield* sweep
      assert.deepStrictEqual(others.map(runs), [true, true, true, true])
    })
  )
})
