import { assert, describe, it } from "@effect/vitest"
import { PLAN_VERSION } from "@reelay/contracts/Plan"
import { Plans } from "@reelay/encoder/Plans"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { Effect, Layer, Schema } from "effect"
import { readFileSync } from "node:fs"

const Fields = Schema.Record(Schema.String, Schema.Unknown)
/** What a scheduler of the first version wrote. */
const stored = Schema.decodeUnknownSync(Schema.fromJsonString(Fields))(
  readFileSync(new URL("../../../libs/contracts/test/stored/plan.plain.json", import.meta.url), "utf8")
)
const inVersion = (v: number) => JSON.stringify({ ...stored, v })

/** A plan that came with its task. */
const loaded = (text: string) =>
  Plans.use((plans) => plans.load("plan.json", text)).pipe(
    Effect.provide(Layer.provide(Plans.layer, Layer.mock(ObjectStore, {})))
  )

describe("a plan", () => {
  it.effect("of an earlier version is read as one of this", () =>
    Effect.gen(function* () {
      for (let v = 1; v <= PLAN_VERSION; v++) {
        const { plan, tasks } = yield* loaded(inVersion(v))
        assert.strictEqual(plan.v, PLAN_VERSION)
        assert.isTrue(tasks.has(plan.final))
      }
    })
  )

  it.effect("of a later version is for another node, one that is none for nobody", () =>
    Effect.gen(function* () {
      const newer = yield* Effect.flip(loaded(inVersion(PLAN_VERSION + 1)))
      assert.deepInclude(newer, { _tag: "NewerPlan", version: PLAN_VERSION + 1 })
      assert.deepInclude(yield* Effect.flip(loaded(inVersion(0))), { _tag: "TaskFailure", kind: "internal" })
    })
  )
})
