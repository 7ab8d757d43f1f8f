import type { ExportId } from "@reelay/contracts/Ids"
import { FrameIndex } from "@reelay/contracts/Media"
import type { FailureKind } from "@reelay/contracts/messages/Messages"
import { planObject } from "@reelay/contracts/ObjectKeys"
import { Plan } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import { compile } from "@reelay/render/Compile"
import { Cache, Cause, Duration, Effect, Exit, Schema, Stream } from "effect"
import { makeBatch } from "./Batch.ts"
import type { Command, Event } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines } from "./Lines.ts"
import { readManifest } from "./Manifests.ts"
import { findDone } from "./Needs.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

/** Why no plan came of it: whose fault it is, and what the owner of the export may read. */
class Unplannable extends Schema.TaggedError<Unplannable>()("Unplannable", {
  kind: Schema.Literals(["input", "storage", "internal"]),
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

const decodeIndex = Schema.decodeUnknownEffect(Schema.fromJsonString(FrameIndex))
const encodePlan = Schema.encodeSync(Schema.fromJsonString(Plan))
const utf8 = new TextEncoder()

const ofStore = (missing: string) => (error: ObjectStoreError) =>
  error.reason === "not_found"
    ? new Unplannable({ kind: "input", message: missing, cause: error })
    : new Unplannable({ kind: "storage", message: "The storage did not answer.", cause: error })

/** Frame indexes kept: an hour at 60 frames a second is a few megabytes. They never change under their key. */
const INDEXES = 16
/** Specs in one read. */
const SPECS = 50

/** What planning reads: specs by the batch, and the indexes of videos that are exported again and again but once. */
export const makeSources = Effect.fnUntraced(function* (lines: Lines) {
  const store = yield* ObjectStore
  const ledger = yield* Ledger
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
  const spec = yield* makeBatch(lines, (ids: ReadonlyArray<ExportId>) => ledger.specs(ids), SPECS)
  return { spec, index: (key: string) => Cache.get(indexes, key) }
})
export type Sources = Effect.Success<ReturnType<typeof makeSources>>

const readIndexes = Effect.fnUntraced(function* (spec: RenderSpec, sources: Sources) {
  const keys = [...new Set(spec.sources.map((source) => source.indexKey))]
  const found = yield* Effect.forEach(keys, (key) => Effect.map(sources.index(key), (index) => [key, index] as const), {
    concurrency: 4
  })
  return new Map<string, FrameIndex>(found)
})

const readSpec = Effect.fnUntraced(function* (id: ExportId, sources: Sources) {
  const spec = yield* sources.spec(id).pipe(
    Effect.catchTag("RowError", (cause) =>
      Effect.fail(new Unplannable({ kind: "internal", message: "The stored request cannot be read.", cause }))
    ),
    Effect.catchTag("DatabaseError", (cause) =>
      Effect.fail(new Unplannable({ kind: "storage", message: "The database did not answer.", cause }))
    )
  )
  return spec ?? (yield* new Unplannable({ kind: "internal", message: "The export is no longer there." }))
})

/** Spec → plan, stored as an object for the encoders, and what of it is done already. Always answers. */
export const plan = Effect.fn("Planner.plan")(function* (command: Of<"Plan">, sources: Sources) {
  const { build, epoch, family, id, token, user } = command
  const planned = Effect.gen(function* () {
    const store = yield* ObjectStore
    const spec = yield* readSpec(id, sources)
    const indexes = yield* readIndexes(spec, sources)
    const plan = compile({ exportId: id, spec, family, build, indexes })
    const found = yield* findDone(plan, (task) => readManifest(store, user, task)).pipe(
      Effect.mapError(ofStore("A finished piece vanished."))
    )
    yield* store
      .put(planObject(user, id, epoch), Stream.make(utf8.encode(encodePlan(plan))))
      .pipe(Effect.mapError(ofStore("The plan could not be stored.")))
    return { _tag: "Planned", id, token, plan, found } satisfies Event
  })
  const refused = (kind: FailureKind, message: string): Event => ({ _tag: "PlanFailed", id, token, kind, message })
  return yield* planned.pipe(
    Effect.catchTag("Unplannable", (error) =>
      Effect.logWarning("an export cannot be planned", error).pipe(Effect.as(refused(error.kind, error.message)))
    ),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.logError("planning failed", cause).pipe(Effect.as(refused("internal", "The edit cannot be planned.")))
    ),
    Effect.annotateLogs({ exportId: id })
  )
})

/** The stored plan of an export that runs already. Always answers. */
export const load = Effect.fn("Planner.load")(function* (command: Of<"Load">) {
  const { id, token, user } = command
  const store = yield* ObjectStore
  const ledger = yield* Ledger
  return yield* Effect.gen(function* () {
    const running = yield* ledger.running(id)
    if (running === null) return { _tag: "LoadFailed", id, token, unreadable: false } satisfies Event
    const found = yield* findDone(running.plan, (task) => readManifest(store, user, task))
    return { _tag: "Loaded", id, token, ...running, found } satisfies Event
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning("a running export cannot be taken up yet", error).pipe(
        Effect.as({ _tag: "LoadFailed", id, token, unreadable: error._tag === "RowError" } satisfies Event),
        Effect.annotateLogs({ exportId: id })
      )
    )
  )
})
