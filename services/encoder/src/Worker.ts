import { type Outcome, taskProgress, type TaskMessage } from "@reelay/contracts/messages/Messages"
import { taskManifest } from "@reelay/contracts/ObjectKeys"
import { familyOf, type Plan, type Task } from "@reelay/contracts/Plan"
import { Bus } from "@reelay/platform/Bus"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import { Cause, Clock, Context, Duration, Effect, Layer, Queue } from "effect"
import { Capabilities } from "./Capabilities.ts"
import { EncoderConfig } from "./EncoderConfig.ts"
import { TaskFailure } from "./Failure.ts"
import type { Ffmpeg } from "./Ffmpeg.ts"
import { inputsOf } from "./Inputs.ts"
import { make } from "./Making.ts"
import { Manifests } from "./Manifests.ts"
import { Plans } from "./Plans.ts"
import { publish } from "./Publishing.ts"

/** How a claimed task is settled. */
export type Settlement =
  | { readonly _tag: "Report"; readonly outcome: Outcome }
  /** Back into the queue; milliseconds until somebody may have it. */
  | { readonly _tag: "GiveBack"; readonly delayMillis: number; readonly why: string }

/** Slots beyond the first, once the plan says what the task weighs; false when it is to be given back. */
export type Grow = (weight: number) => Effect.Effect<boolean>

const PROGRESS_MILLIS = 500
const NEWER_PLAN_MILLIS = 5000
const BUSY_MILLIS = 2000
const CROWDED_MILLIS = 1000

const report = (outcome: Outcome): Settlement => ({ _tag: "Report", outcome })
const giveBack = (delayMillis: number, why: string): Settlement => ({ _tag: "GiveBack", delayMillis, why })

const storeFailure = (error: ObjectStoreError): TaskFailure =>
  error.reason === "no_space"
    ? new TaskFailure({
        kind: "resource",
        message: "The encoder node ran out of disk space.",
        log: `${error.operation}: no space`
      })
    : new TaskFailure({
        kind: "storage",
        message: "A file could not be read or written.",
        log: `${error.operation}: ${error.reason}`
      })

/**
 * Does one task, from its message to its settlement: looks it up, makes it, verifies it, and makes it visible. It never
 * fails: every way to go wrong is a settlement. Interrupting it stops ffmpeg and removes what was half made.
 */
export class Worker extends Context.Service<
  Worker,
  {
    perform(message: TaskMessage, grow: Grow): Effect.Effect<Settlement>
  }
>()("@reelay/encoder/Worker") {
  static readonly layer = Layer.effect(
    Worker,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const bus = yield* Bus
      const store = yield* ObjectStore
      const plans = yield* Plans
      const manifests = yield* Manifests
      const capabilities = yield* Capabilities
      const services = yield* Effect.context<ObjectStore | Manifests | Ffmpeg | EncoderConfig | Capabilities>()

      const elapsed = Effect.fnUntraced(function* (since: bigint) {
        return Number((yield* Clock.monotonicTimeNanos) - since) / 1e9
      })

      /** Frames out as they come, twice a second at most, which is as often as the whole export is told of; the first word at once. */
      const progressOf = Effect.fnUntraced(function* (message: TaskMessage) {
        const latest = yield* Queue.sliding<{ readonly frames: number; readonly speed: number | null }>(1)
        yield* Queue.take(latest).pipe(
          Effect.flatMap((now) =>
            bus.broadcast(taskProgress, {
              v: 1,
              exportId: message.exportId,
              epoch: message.epoch,
              task: message.task,
              nodeId: settings.nodeId,
              ...now
            })
          ),
          Effect.andThen(Effect.sleep(PROGRESS_MILLIS)),
          Effect.forever,
          Effect.forkScoped
        )
        return (frames: number, speed: number | null) => void Queue.offerUnsafe(latest, { frames, speed })
      })

      const carryOut = Effect.fnUntraced(function* (message: TaskMessage, plan: Plan, task: Task, since: bigint) {
        const inputs = yield* inputsOf(plan, task)
        const onProgress = yield* progressOf(message)
        const made = yield* make({ plan, task, inputs, onProgress })
        yield* inputs.unchanged
        return yield* publish({ plan, task, made, inputs, seconds: yield* elapsed(since) })
      }, Effect.scoped)

      const perform = Effect.fn("Worker.perform")(function* (message: TaskMessage, grow: Grow) {
        const since = yield* Clock.monotonicTimeNanos
        const { plan, tasks } = yield* plans.load(message.plan, message.inline)
        const task = tasks.get(message.task)
        if (task === undefined || plan.exportId !== message.exportId) {
          return yield* new TaskFailure({ kind: "internal", message: "The task is not in its plan.", log: "" })
        }
        const earlier = yield* manifests.find(plan.spec.tenant, task.key)
        if (earlier !== null) {
          // Of use once more: the scheduler does not look for a plan's only task, and the cache gives up what lies idle.
          yield* store.touch(taskManifest(plan.spec.tenant, task.key)).pipe(Effect.ignore)
          return report({ _tag: "Done", manifest: earlier, reused: true })
        }
        if (!(yield* grow(task.weight))) return giveBack(CROWDED_MILLIS, "another task waits for slots")

        const family = familyOf(plan, task.work)
        const outcome = yield* carryOut(message, plan, task, since).pipe(
          Effect.timeoutOrElse({
            duration: Duration.seconds(settings.taskSeconds),
            orElse: () =>
              new TaskFailure({ kind: "timeout", message: "The work took longer than a task may.", log: "" })
          }),
          Effect.tap(() => (family === null ? Effect.void : capabilities.succeeded(family))),
          Effect.catchTag("EncoderBusy", (busy) =>
            capabilities.refused(plan.family).pipe(
              Effect.flatMap((patient) =>
                patient
                  ? Effect.succeed("busy" as const)
                  : new TaskFailure({
                      kind: "encoder",
                      message: "All encoder sessions of the node stay taken.",
                      log: busy.log
                    })
              )
            )
          ),
          Effect.tapErrorTag("TaskFailure", (failure) =>
            failure.kind === "encoder" ? capabilities.failed(plan.family, failure.message) : Effect.void
          )
        )
        return outcome === "busy" ? giveBack(BUSY_MILLIS, "the encoder is taken") : report(outcome)
      })

      /** Every error becomes a result that says whose it is; a defect is ours. */
      const settled = Effect.fnUntraced(function* (message: TaskMessage, grow: Grow) {
        const since = yield* Clock.monotonicTimeNanos
        const failure = Effect.fnUntraced(function* ({ kind, log, message: said }: TaskFailure) {
          yield* Effect.logWarning("A task failed", {
            exportId: message.exportId,
            task: message.task,
            kind,
            reason: said,
            log: log.slice(-500)
          })
          return report({ _tag: "Failed", kind, message: said, log, seconds: yield* elapsed(since) })
        })
        return yield* perform(message, grow).pipe(
          Effect.catchTags({
            TaskFailure: failure,
            NewerPlan: ({ version }) => Effect.succeed(giveBack(NEWER_PLAN_MILLIS, `plan version ${version}`)),
            ObjectStoreError: (error) => failure(storeFailure(error)),
            CannotStart: (error) =>
              failure(
                new TaskFailure({
                  kind: "resource",
                  message: "The encoder node could not start its encoder.",
                  log: String(error.cause).slice(0, 500)
                })
              )
          }),
          Effect.catchCauseIf(
            (cause) => !Cause.hasInterruptsOnly(cause),
            (cause) =>
              Effect.logError("A task ended in a defect", cause).pipe(
                Effect.andThen(
                  failure(new TaskFailure({ kind: "internal", message: "Something went wrong on our side.", log: "" }))
                )
              )
          ),
          Effect.provideContext(services)
        )
      })

      return Worker.of({ perform: settled })
    })
  )
}
