import type { TaskKey } from "@reelay/contracts/Ids"
import type { Manifest, Plan } from "@reelay/contracts/Plan"
import { Effect } from "effect"
import type { Found } from "./Events.ts"

const CONCURRENCY = 16

/**
 * What of a plan need not be done: tasks that are done, and tasks that only such need. Asked from the end backwards, so
 * that a finished export costs one question. `manifestOf`: null where the store has none.
 */
export const findDone = Effect.fnUntraced(function* <E, R>(
  plan: Plan,
  manifestOf: (task: TaskKey) => Effect.Effect<Manifest | null, E, R>
) {
  const done = new Set(plan.tasks.map((task) => task.key))
  const needs = new Map(plan.tasks.map((task) => [task.key, task.needs]))
  const asked = new Set<TaskKey>()
  let final: Manifest | null = null
  let frontier: ReadonlyArray<TaskKey> = [plan.final]
  while (frontier.length > 0) {
    const next = new Set<TaskKey>()
    yield* Effect.forEach(
      frontier,
      (key) =>
        Effect.map(manifestOf(key), (manifest) => {
          asked.add(key)
          if (manifest !== null) {
            if (key === plan.final) final = manifest
            return
          }
          done.delete(key)
          for (const need of needs.get(key) ?? []) next.add(need)
        }),
      { concurrency: CONCURRENCY, discard: true }
    )
    frontier = [...next].filter((key) => !asked.has(key))
  }
  return { done, final } satisfies Found
})
