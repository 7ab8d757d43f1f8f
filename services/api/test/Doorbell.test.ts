import { assert, it } from "@effect/vitest"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Layer, Queue } from "effect"
import { Doorbell } from "../src/Doorbell.ts"

it.effect("exports of one moment share a ring, and who comes later rings anew", () =>
  Effect.gen(function* () {
    const heard = yield* Queue.unbounded<unknown>()
    const bus = Layer.mock(Bus)({ broadcast: (_message, body) => Effect.asVoid(Queue.offer(heard, body)) })
    const user = UserId.make("someone")
    const [first, second, third, late] = [newId(ExportId), newId(ExportId), newId(ExportId), newId(ExportId)]
    yield* Effect.gen(function* () {
      const doorbell = yield* Doorbell
      for (const id of [first, second, third]) yield* doorbell.ring(user, id)
      assert.deepStrictEqual(yield* Queue.take(heard), {
        v: 1,
        exportId: first,
        userId: user,
        others: [second, third]
      })
      yield* doorbell.ring(user, late)
      assert.deepStrictEqual(yield* Queue.take(heard), { v: 1, exportId: late, userId: user })
    }).pipe(Effect.provide(Doorbell.layer.pipe(Layer.provide(bus))))
  })
)
