import { ExportId, TaskKey } from "@reelay/contracts/Ids"
import { RESULTS, resultsConsumer, TASKS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Latch, Schema } from "effect"
import type { QueuedTask } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines } from "./Lines.ts"
import type { AsOf, Post } from "./Post.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"

const isExportId = Schema.is(ExportId)
const isTaskKey = Schema.is(TaskKey)

/** `tasks.<pool>.<exportId>.<taskKey>` */
const queuedTask = (subject: string): QueuedTask | null => {
  const [, pool, id, task] = subject.split(".")
  return pool !== undefined && isExportId(id) && isTaskKey(task) ? { id, task, pool, subject } : null
}

/**
 * Compares what is known with what is so: rows in Postgres, tasks and results in the streams. Lost doorbells, lost
 * messages, rebuilt streams, cancels that nobody was told of: all of them are found here and nowhere else.
 */
export const makeReconciler = Effect.fnUntraced(function* (
  lines: Lines,
  post: Post,
  asOf: AsOf,
  unsent: () => ReadonlySet<string>
) {
  const bus = yield* Bus
  const ledger = yield* Ledger
  const { reconcileMillis } = yield* SchedulerConfig
  const soon = yield* Latch.make(true)

  const survey = Effect.gen(function* () {
    const sequence = asOf()
    post({ _tag: "Surveyed", asOf: sequence, rows: yield* ledger.survey })
    post({ _tag: "Paused", paused: yield* ledger.paused })
  }).pipe(Effect.catch((error) => Effect.logWarning("Postgres does not answer; looking again soon", error.message)))

  const lookAround = Effect.gen(function* () {
    const sequence = asOf()
    const coming = unsent()
    // In this order: an encoder publishes the result before it acknowledges the task.
    const queued = yield* bus.subjects(TASKS, "tasks.>")
    const reported = yield* bus.subjects(RESULTS, resultsConsumer.filter)
    const tasks = new Map<string, QueuedTask>()
    for (const subject of queued) {
      const task = queuedTask(subject)
      if (task !== null) tasks.set(`${task.id}.${task.task}`, task)
    }
    const results = new Set([...coming, ...reported.map((subject) => subject.slice("results.".length))])
    post({ _tag: "Outstanding", asOf: sequence, tasks, results })
  }).pipe(Effect.ignore)

  const look = Effect.gen(function* () {
    yield* soon.await.pipe(Effect.timeoutOption(reconcileMillis))
    yield* soon.close
    yield* Effect.all([survey, lookAround], { concurrency: 2, discard: true })
    // Many reasons to look at once are one reason.
    yield* Effect.sleep(200)
  })
  lines.beside(Effect.forever(look))

  /** Look at once. */
  return (): void => {
    soon.openUnsafe()
  }
})
