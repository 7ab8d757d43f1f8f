import type { TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskManifest } from "@reelay/contracts/ObjectKeys"
import { Manifest } from "@reelay/contracts/Plan"
import { Effect, Exit, Schema } from "effect"
import type { ObjectStore, ObjectStoreError } from "./ObjectStore.ts"

/** The objects that make tasks done (decision 2), as everybody reads and writes them. */
export type Reading =
  | { readonly _tag: "Done"; readonly manifest: Manifest }
  | { readonly _tag: "None" }
  /** It does not decode, nor ever will: a power cut, a hand in the store. Whoever wants the work done removes it. */
  | { readonly _tag: "Broken" }
  /** A newer Reelay's: for this code the task is neither done nor undone, and the manifest not its to remove. */
  | { readonly _tag: "Newer"; readonly version: number }

type Store = ObjectStore["Service"]

/** The highest version that this code reads. */
const VERSION = 1
const Json = Schema.toCodecJson(Manifest)
const decodeJson = Schema.decodeUnknownExit(Schema.fromJsonString(Schema.Unknown))
const decodeVersion = Schema.decodeUnknownExit(Schema.Struct({ v: Schema.Int }))
const decodeManifest = Schema.decodeUnknownExit(Json)
const encodeManifest = Schema.encodeSync(Json)
const broken = { _tag: "Broken" } as const

/** Of a manifest's bytes: `Done`, `Broken` or `Newer`. */
export const readingOf = (bytes: Uint8Array): Exclude<Reading, { readonly _tag: "None" }> => {
  const json = decodeJson(new TextDecoder().decode(bytes))
  if (Exit.isFailure(json)) return broken
  // First of all: nothing else of a newer one is known.
  const version = decodeVersion(json.value)
  if (Exit.isFailure(version)) return broken
  if (version.value.v > VERSION) return { _tag: "Newer", version: version.value.v }
  const manifest = decodeManifest(json.value)
  return Exit.isSuccess(manifest) ? { _tag: "Done", manifest: manifest.value } : broken
}

/** By object key. */
export const readManifestAt = (store: Store, key: string): Effect.Effect<Reading, ObjectStoreError> =>
  Effect.map(store.find(key), (bytes): Reading => (bytes === null ? { _tag: "None" } : readingOf(bytes)))

/** What is there of a task. A broken manifest is removed, so that the work can be done. */
export const findManifest: (store: Store, user: UserId, task: TaskKey) => Effect.Effect<Reading, ObjectStoreError> =
  Effect.fnUntraced(function* (store: Store, user: UserId, task: TaskKey) {
    const key = taskManifest(user, task)
    const bytes = yield* store.find(key)
    if (bytes === null) return { _tag: "None" }
    const reading = readingOf(bytes)
    if (reading._tag !== "Broken") return reading
    // Somebody may have removed it, and done the work since.
    if (!(yield* store.removeIf(key, bytes))) return yield* findManifest(store, user, task)
    yield* Effect.logError("a manifest did not decode and was removed").pipe(Effect.annotateLogs({ key }))
    return { _tag: "None" }
  })

/** Removes a manifest that does not hold what it says, and never another that has taken its place. */
export const removeManifest = Effect.fnUntraced(function* (store: Store, user: UserId, manifest: Manifest) {
  const key = taskManifest(user, manifest.key)
  const bytes = yield* store.find(key)
  if (bytes === null) return
  const reading = readingOf(bytes)
  if (reading._tag === "Done" && reading.manifest.files[0]?.object === manifest.files[0]?.object) {
    yield* store.removeIf(key, bytes)
  }
})

/**
 * Conditional: false when another was first. Not durable: after a power cut the manifest may be gone or broken, and the
 * work is done again; what it names was durable before.
 */
export const putManifest = (store: Store, user: UserId, manifest: Manifest): Effect.Effect<boolean, ObjectStoreError> =>
  Effect.suspend(() =>
    store.putIfAbsent(
      taskManifest(user, manifest.key),
      new TextEncoder().encode(JSON.stringify(encodeManifest(manifest))),
      { durable: false }
    )
  )
