import { assert, describe, it } from "@effect/vitest"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import { databaseError } from "@reelay/platform/DatabaseError"
import { Effect, Fiber, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import type { Event } from "../src/Events.ts"
import { Ledger } from "../src/Ledger.ts"
import { makeLines } from "../src/Lines.ts"
import { makeWrites } from "../src/Writes.ts"

const gaveUp = databaseError("complete", Object.assign(new Error("statement timeout"), { code: "57014" }))
const away = databaseError("complete", Object.assign(new Error("no connection"), { code: "ECONNREFUSED" }))

const completion = (token: number) => ({
  _tag: "Complete" as const,
  id: newId(ExportId),
  user: UserId.make("somebody"),
  token,
  epoch: 1,
  outputs: []
})

describe("transitions written together", () => {
  it.effect("one that Postgres gives up holds up nobody else, and is refused in the end", () =>
    Effect.gen(function* () {
      const [bad, good] = [completion(1), completion(2)]
      const events = yield* Queue.unbounded<Event>()
      const lines = yield* makeLines
      const ledger = Layer.mock(Ledger)({
        complete: (commands) =>
          commands.includes(bad) ? Effect.fail(gaveUp) : Effect.succeed(new Set(commands.map(({ id }) => id)))
      })
      const { write } = yield* makeWrites(lines, (event) => void Queue.offerUnsafe(events, event)).pipe(
        Effect.provide(ledger)
      )
      for (const command of [bad, good]) lines.add(command.id, write(command))
      const both = yield* Effect.forkChild(Queue.takeN(events, 2))
      yield* TestClock.adjust("2 minutes")
      const said = yield* Fiber.join(both)
      assert.deepStrictEqual(
        said.map(({ _tag }) => _tag),
        ["Refused", "Ended"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("while Postgres is away nothing is refused", () =>
    Effect.gen(function* () {
      let there = false
      const command = completion(1)
      const events = yield* Queue.unbounded<Event>()
      const lines = yield* makeLines
      const ledger = Layer.mock(Ledger)({
        complete: () => Effect.suspend(() => (there ? Effect.succeed(new Set([command.id])) : Effect.fail(away)))
      })
      const { write } = yield* makeWrites(lines, (event) => void Queue.offerUnsafe(events, event)).pipe(
        Effect.provide(ledger)
      )
      lines.add(command.id, write(command))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Queue.size(events), 0)
      there = true
      yield* TestClock.adjust("4 seconds")
      const said = yield* Queue.take(events)
      assert.deepInclude(said, { _tag: "Ended", won: true })
    }).pipe(Effect.scoped)
  )
})
