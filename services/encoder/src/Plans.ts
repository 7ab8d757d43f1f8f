import { Plan, PLAN_VERSION, type Task } from "@reelay/contracts/Plan"
import type { TaskKey } from "@reelay/contracts/Ids"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { Cache, Context, Effect, Exit, Layer, Schema } from "effect"
import { TaskFailure } from "./Failure.ts"

/** A plan as this node uses it, with its tasks by key. */
export interface LoadedPlan {
  readonly plan: Plan
  readonly tasks: ReadonlyMap<TaskKey, Task>
}

/** Written by a newer Reelay: for another node, or for this one after its upgrade. */
export class NewerPlan extends Schema.TaggedError<NewerPlan>()("NewerPlan", { version: Schema.Int }) {}

const Versioned = Schema.fromJsonString(Schema.Struct({ v: Schema.Int }))
const PlanJson = Schema.fromJsonString(Plan)

/** An export's tasks come in bursts and name one plan, which can be large: it is read and decoded once. */
const KEPT = 16

const damaged = () => new TaskFailure({ kind: "internal", message: "The plan of this export cannot be read.", log: "" })

export class Plans extends Context.Service<
  Plans,
  {
    /** By object key. A plan object never changes. `inline`: the plan itself, where it came with the task. */
    load(key: string, inline?: string): Effect.Effect<LoadedPlan, TaskFailure | NewerPlan>
  }
>()("@reelay/encoder/Plans") {
  static readonly layer = Layer.effect(
    Plans,
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const read = Effect.fnUntraced(function* (key: string) {
        const bytes = yield* store.getBytes(key).pipe(
          Effect.mapError(
            (error) =>
              new TaskFailure({
                kind: "storage",
                message: "The plan of this export cannot be read.",
                log: error.reason
              })
          )
        )
        return yield* decode(new TextDecoder().decode(bytes))
      })
      const decode = Effect.fnUntraced(function* (text: string) {
        const { v } = yield* Schema.decodeUnknownEffect(Versioned)(text).pipe(Effect.mapError(damaged))
        if (v > PLAN_VERSION) return yield* new NewerPlan({ version: v })
        const plan = yield* Schema.decodeUnknownEffect(PlanJson)(text).pipe(Effect.mapError(damaged))
        return { plan, tasks: new Map(plan.tasks.map((task) => [task.key, task])) }
      })
      // Several tasks wait for one reading: none of them may take it away from the others by being stopped.
      const cache = yield* Cache.makeWith((key: string) => Effect.uninterruptible(read(key)), {
        capacity: KEPT,
        timeToLive: (exit) => (Exit.isSuccess(exit) ? "1 hour" : 0)
      })
      return Plans.of({
        load: Effect.fn("Plans.load")((key: string, inline?: string) =>
          inline === undefined ? Cache.get(cache, key) : decode(inline)
        )
      })
    })
  )
}
