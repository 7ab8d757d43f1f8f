import { FrameIndex } from "@reelay/contracts/Media"
import type { UserId } from "@reelay/contracts/Ids"
import type { FailureKind } from "@reelay/contracts/messages/Messages"
import { planObject, taskManifest } from "@reelay/contracts/ObjectKeys"
import { Plan } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import { compile } from "@reelay/render/Compile"
import { Cache, Cause, Duration, Effect, Exit, Schema, Semaphore, Stream } from "effect"
import type { Command, Event, Found, Written } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines } from "./Lines.ts"
import { findDone } from "./Needs.ts"
import { manifestOf } from "./Outputs.ts"
import type { Post } from "./Post.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

/** Why no plan came of it: whose fault it is, and what the owner of the export may read. */
class Unplannable extends Schema.TaggedError<Unplannable>()("Unplannable", {
  kind: Schema.Literals(["input", "storage", "internal"]),
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

const decodeIndex = Schema.decodeUnknownEffect(Schema.fromJsonString(FrameIndex))
const encodePlan = Schema.encodeSync(Plan)
const utf8 = new TextEncoder()

/** Characters of a plan that travels with its only task: beyond that, an object costs less. */
const INLINE = 16_384

/** One that was short enough when it was made may be a little longer as a later version writes it. */
const INLINE_AT_LOAD = 4 * INLINE

/** Encoded once, for the row, the message and the object. */
const written = (plan: Plan, inline = INLINE): Written => {
  const { spec, ...rest } = encodePlan(plan)
  const stored = JSON.stringify(rest)
  const text = `{"spec":${JSON.stringify(spec)},${stored.slice(1)}`
  return { plan, text, stored, travels: plan.tasks.length === 1 && text.length <= inline }
}

const ofStore = (missing: string) => (error: ObjectStoreError) =>
  error.reason === "not_found"
    ? new Unplannable({ kind: "input", message: missing, cause: error })
    : new Unplannable({ kind: "storage", message: "The storage did not answer.", cause: error })

/** Frame indexes kept: an hour at 60 frames a second is a few megabytes. They never change under their key. */
const INDEXES = 16
/** Specs in one read. */
const SPECS = 100
/** Exports whose indexes and manifests are looked up at once. */
const CONCURRENCY = 16

const NOTHING_FOUND: Found = { done: new Set(), final: null }

type Spec = Effect.Success<ReturnType<Ledger["Service"]["specs"]>>[number]

const specOf = (read: Spec): Effect.Effect<RenderSpec, Unplannable> =>
  Effect.flatMap(read, (spec) =>
    spec === null
      ? Effect.fail(new Unplannable({ kind: "internal", message: "The export is no longer there." }))
      : Effect.succeed(spec)
  ).pipe(
    Effect.catchTag("RowError", (cause) =>
      Effect.fail(new Unplannable({ kind: "internal", message: "The stored request cannot be read.", cause }))
    ),
    Effect.catchTag("DatabaseError", (cause) =>
      Effect.fail(new Unplannable({ kind: "storage", message: "The database did not answer.", cause }))
    )
  )

/**
 * Spec → plan, and what of it is done already: posts one event for each command. Specs are read by the batch; the
 * indexes of videos that are exported again and again are read once.
 */
export const makePlanner = Effect.fnUntraced(function* (lines: Lines, post: Post) {
  const store = yield* ObjectStore
  const ledger = yield* Ledger
  const busy = yield* Semaphore.make(CONCURRENCY)
  const indexes = yield* Cache.makeWith(
    (key: string) =>
      store.getBytes(key).pipe(
        Effect.mapError(ofStore("The frame index of a source is no longer there.")),
        Effect.flatMap((bytes) =>
          decodeIndex(new TextDecoder().decode(bytes)).pipe(
            Effect.mapError(
              (cause) => new Unplannable({ kind: "internal", message: "A frame index is broken.", cause })
            )
          )
        )
      ),
    // A store that did not answer may do so the next time.
    { capacity: INDEXES, timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero) }
  )

  const lookUp = (user: UserId, plan: Plan) =>
    findDone(plan, (task) =>
      // Of use once more: it is not given up while this plan is not in its row yet, nor soon after.
      manifestOf(store, user, task).pipe(
        Effect.tap((done) => (done === null ? Effect.void : store.touch(taskManifest(user, task))))
      )
    ).pipe(Effect.mapError(ofStore("A finished piece vanished.")))

  const planOne = Effect.fnUntraced(function* (command: Of<"Plan">, read: Spec) {
    const { build, epoch, family, id, noSmartCut, token, user } = command
    const refused = (kind: FailureKind, message: string): Event => ({ _tag: "PlanFailed", id, token, kind, message })
    return yield* Effect.gen(function* () {
      const spec = yield* specOf(read)
      const needed = new Map<string, FrameIndex>()
      for (const { indexKey } of spec.sources) needed.set(indexKey, yield* Cache.get(indexes, indexKey))
      const plan = compile({
        exportId: id,
        spec,
        family,
        build,
        indexes: needed,
        ...(noSmartCut ? { noSmartCut: "an earlier try did not give the right pictures" } : {})
      })
      const forms = written(plan)
      // Whoever takes a plan's only task looks first whether it is done: once is enough.
      const found = forms.travels ? NOTHING_FOUND : yield* lookUp(user, plan)
      if (!forms.travels) {
        yield* store
          .put(planObject(user, id, epoch), Stream.make(utf8.encode(forms.text)))
          .pipe(Effect.mapError(ofStore("The plan could not be stored.")))
      }
      return { _tag: "Planned", id, token, ...forms, found } satisfies Event
    }).pipe(
      Effect.catchTag("Unplannable", (error) =>
        Effect.logWarning("an export cannot be planned", error).pipe(Effect.as(refused(error.kind, error.message)))
      ),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logError("planning failed", cause).pipe(
              Effect.as(refused("internal", "The edit cannot be planned."))
            )
      ),
      Effect.annotateLogs({ exportId: id })
    )
  })

  const plan = lines.batch({
    most: SPECS,
    run: (commands: ReadonlyArray<Of<"Plan">>) => ledger.specs(commands.map(({ id }) => id)),
    isForAll: () => true
  })
  return (command: Of<"Plan">): void =>
    plan(command, (spec) => lines.beside(busy.withPermit(Effect.map(planOne(command, spec), (event) => post(event)))))
})

/** The stored plan of an export that runs already. Always answers. */
export const load = Effect.fn("Planner.load")(function* (command: Of<"Load">) {
  const { id, token, user } = command
  const store = yield* ObjectStore
  const ledger = yield* Ledger
  return yield* Effect.gen(function* () {
    const running = yield* ledger.running(id)
    if (running === null) return { _tag: "LoadFailed", id, token, unreadable: false } satisfies Event
    const found = yield* findDone(running.plan, (task) => manifestOf(store, user, task))
    return { _tag: "Loaded", id, token, ...running, ...written(running.plan, INLINE_AT_LOAD), found } satisfies Event
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning("a running export cannot be taken up yet", error).pipe(
        Effect.as({ _tag: "LoadFailed", id, token, unreadable: error._tag === "RowError" } satisfies Event),
        Effect.annotateLogs({ exportId: id })
      )
    )
  )
})
