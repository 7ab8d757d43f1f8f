import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { aPlan, aSource, Farm, runPlan, startEncoder } from "./support/Farm.ts"

layer(Farm.layer, { excludeTestServices: true })("Worker", (it) => {
  it.effect(
    "makes everything of a plan",
    () =>
      Effect.gen(function* () {
        const { capabilities } = yield* startEncoder()
        const source = yield* aSource()
        const plan = yield* aPlan({
          source,
          clips: [
            { start: 0.2, end: 1.2 },
            { start: 1, end: 1.8 }
          ],
          build: capabilities.build
        })
        const results = yield* runPlan(plan)
        for (const [, result] of results) console.log(JSON.stringify(result.outcome))
        assert.strictEqual(results.size, plan.tasks.length)
      }),
    20_000
  )
})
