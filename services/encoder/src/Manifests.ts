import type { TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskManifest } from "@reelay/contracts/ObjectKeys"
import type { Manifest } from "@reelay/contracts/Plan"
import { findManifest, putManifest, readManifestAt, removeManifest } from "@reelay/platform/Manifests"
import { ObjectStore, type ObjectStoreError } from "@reelay/platform/ObjectStore"
import { Context, Effect, Layer, Result } from "effect"
import { NewerPlan } from "./Plans.ts"

const won: Put = { _tag: "Won" }
const lost = (manifest: Manifest): Put => ({ _tag: "Lost", manifest })
const failed = (perhaps: boolean): Put => ({ _tag: "Failed", perhaps })

export type Put =
  /** Ours holds. */
  | { readonly _tag: "Won" }
  /** Another worker was first: theirs holds. */
  | { readonly _tag: "Lost"; readonly manifest: Manifest }
  /** `perhaps`: nobody knows whether it was written after all, so the files it names must stay. */
  | { readonly _tag: "Failed"; readonly perhaps: boolean }

/** The objects that make tasks done. */
export class Manifests extends Context.Service<
  Manifests,
  {
    /**
     * The manifest of a task that is done; null when it is not, or when what was made is no longer all there. Fails where
     * a newer Reelay has done it: that is for another node to say, or for this one after its upgrade.
     */
    find(user: UserId, key: TaskKey): Effect.Effect<Manifest | null, ObjectStoreError | NewerPlan>
    /** Conditional: the first worker wins. */
    put(user: UserId, manifest: Manifest): Effect.Effect<Put>
  }
>()("@reelay/encoder/Manifests") {
  static readonly layer = Layer.effect(
    Manifests,
    Effect.gen(function* () {
      const store = yield* ObjectStore

      const find = Effect.fn("Manifests.find")(function* (user: UserId, key: TaskKey) {
        const reading = yield* findManifest(store, user, key)
        if (reading._tag === "Newer") return yield* new NewerPlan({ version: reading.version })
        if (reading._tag !== "Done") return null
        const { manifest } = reading
        const infos = yield* Effect.forEach(manifest.files, (file) => store.head(file.object), { concurrency: 4 })
        if (manifest.files.every((file, i) => infos[i]?.size === file.bytes)) return manifest
        // A manifest that promises what is not there would fail every export that needs the task, for ever.
        yield* Effect.logWarning("A manifest did not hold and was removed", { task: key })
        yield* removeManifest(store, user, manifest)
        return null
      })

      const put = Effect.fn("Manifests.put")(function* (user: UserId, manifest: Manifest) {
        const written = yield* Effect.result(putManifest(store, user, manifest))
        if (Result.isSuccess(written) && written.success) return won
        // Somebody was first, or the answer was lost on its way: what is there now decides.
        const found = yield* Effect.result(readManifestAt(store, taskManifest(user, manifest.key)))
        if (Result.isFailure(found)) return failed(true)
        const reading = found.success
        if (reading._tag !== "Done") return failed(reading._tag === "Broken")
        const { files } = reading.manifest
        return files[0]?.object === manifest.files[0]?.object ? won : lost(reading.manifest)
      })

      return Manifests.of({ find, put })
    })
  )
}
