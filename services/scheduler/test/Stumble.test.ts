import { assert, layer } from "@effect/vitest"
import { NodeId, UserId } from "@reelay/contracts/Ids"
import { taskResult } from "@reelay/contracts/messages/Messages"
import { RESULTS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Latch, Schedule } from "effect"
import { vi } from "vitest"
import type * as Decide from "../src/Decide.ts"
import { anEncoder, anExport, aScheduler, lab, until } from "./Lab.ts"

/** A mistake of ours in what decides: nobody knows one, so here is one. */
const stumbles = vi.hoisted(() => ({ count: 0 }))
vi.mock("../src/Decide.ts", async (original) => {
  const { decide } = await original<typeof Decide>()
  const stumbling: typeof decide = (state, event, now) => {
    if (event._tag === "Result" && event.result.dispatch === "poison") {
      stumbles.count++
      throw new Error("a mistake of ours")
    }
    return decide(state, event, now)
  }
  return { decide: stumbling }
})

layer(lab, { excludeTestServices: true, timeout: "60 seconds" })("a leader that stumbles", (it) => {
  it.effect("hears the word once; the next term does the export", () =>
    Effect.gen(function* () {
      const bus = yield* Bus
      const finish = yield* Latch.make(false)
      const seen = yield* anEncoder("patient", (_, done) => finish.await.pipe(Effect.andThen(Effect.suspend(done))))
      yield* aScheduler()
      const id = yield* anExport(UserId.make("poison"))
      const first = yield* Effect.sync(() => seen[0]).pipe(
        Effect.repeat({ schedule: Schedule.spaced(20), until: (task) => task !== undefined }),
        Effect.timeout("40 seconds")
      )
      if (first === undefined) return assert.fail("nothing was dispatched")
      yield* bus.publish(taskResult, {
        v: 1,
        exportId: id,
        epoch: first.epoch,
        task: first.task,
        dispatch: "poison",
        nodeId: NodeId.make("stranger"),
        pool: first.pool,
        outcome: { _tag: "Cancelled" }
      })
      yield* bus
        .subjects(RESULTS, `results.${id}.${first.task}`)
        .pipe(
          Effect.repeat({ schedule: Schedule.spaced(50), until: (waiting) => waiting.length === 0 }),
          Effect.timeout("40 seconds")
        )
      yield* finish.open
      assert.strictEqual((yield* until(id, "completed", "failed")).status, "completed")
      assert.strictEqual(stumbles.count, 1)
    }).pipe(Effect.scoped)
  )
})
