import { assert, layer } from "@effect/vitest"
import { Processes } from "@reelay/platform/Processes"
import { Cause, Effect, Exit } from "effect"

/** Says something for ever, however often it is not heard. */
const talker = { file: "sh", args: ["-c", "while echo more; do :; done"] }
const deaf = () => {
  throw new RangeError("Invalid string length")
}
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

layer(Processes.layer, { excludeTestServices: true })("Processes", (it) => {
  it.effect("a reader that throws ends its run, and nothing else", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const child = yield* processes.start(talker, deaf)
      const ended = yield* Effect.exit(child.ended)
      assert.instanceOf(Exit.isFailure(ended) ? Cause.squash(ended.cause) : null, RangeError)
      assert.isFalse(isAlive(child.pid))

      const collected = yield* Effect.exit(processes.collect(talker, 20, deaf))
      assert.instanceOf(Exit.isFailure(collected) ? Cause.squash(collected.cause) : null, RangeError)
      const after = yield* processes.collect({ file: "sh", args: ["-c", "echo heard; exit 3"] }, 20)
      assert.deepInclude(after, { exitCode: 3, signal: null, stdout: "heard\n" })
    }).pipe(Effect.scoped)
  )
})
