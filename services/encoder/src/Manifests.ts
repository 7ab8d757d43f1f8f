import type { TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskManifest } from "@reelay/contracts/ObjectKeys"
import { Manifest } from "@reelay/contracts/Plan"
import { ObjectStore, type ObjectStoreError } from "@reelay/platform/ObjectStore"
import { Context, Effect, Layer, Option, Result, Schema } from "effect"

const won: Put = { _tag: "Won" }
const lost = (manifest: Manifest): Put => ({ _tag: "Lost", manifest })
const failed = (perhaps: boolean): Put => ({ _tag: "Failed", perhaps })

const ManifestJson = Schema.fromJsonString(Schema.toCodecJson(Manifest))

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
    /** The manifest of a task that is done; null when it is not, or when what was made is no longer all there. */
    find(user: UserId, key: TaskKey): Effect.Effect<Manifest | null, ObjectStoreError>
    /** Conditional: the first worker wins. */
    put(user: UserId, manifest: Manifest): Effect.Effect<Put>
  }
>()("@reelay/encoder/Manifests") {
  static readonly layer = Layer.effect(
    Manifests,
    Effect.gen(function* () {
      const store = yield* ObjectStore

      const read = Effect.fnUntraced(function* (user: UserId, key: TaskKey) {
        const bytes = yield* store.getBytes(taskManifest(user, key)).pipe(
          Effect.map(Option.some),
          Effect.catchIf(
            (error) => error.reason === "not_found",
            () => Effect.succeedNone
          )
        )
        if (Option.isNone(bytes)) return { there: false, manifest: null }
        const manifest = yield* Schema.decodeUnknownEffect(ManifestJson)(new TextDecoder().decode(bytes.value)).pipe(
          Effect.option
        )
        return { there: true, manifest: Option.getOrNull(manifest) }
      })

      const find = Effect.fn("Manifests.find")(function* (user: UserId, key: TaskKey) {
        const { manifest, there } = yield* read(user, key)
        if (!there) return null
        const infos =
          manifest === null
            ? []
            : yield* Effect.forEach(manifest.files, (file) => store.head(file.object), { concurrency: 4 })
        const whole = manifest !== null && manifest.files.every((file, i) => infos[i]?.size === file.bytes)
        if (whole) return manifest
        // A manifest that promises what is not there would fail every export that needs the task, for ever.
        yield* Effect.logWarning("A manifest did not hold and was removed", { task: key })
        yield* store.remove(taskManifest(user, key))
        return null
      })

      const put = Effect.fn("Manifests.put")(function* (user: UserId, manifest: Manifest) {
        const bytes = new TextEncoder().encode(yield* Schema.encodeEffect(ManifestJson)(manifest).pipe(Effect.orDie))
        const written = yield* Effect.result(store.putIfAbsent(taskManifest(user, manifest.key), bytes))
        if (Result.isSuccess(written) && written.success) return won
        // Somebody was first, or the answer was lost on its way: what is there now decides.
        const found = yield* Effect.result(read(user, manifest.key))
        if (Result.isFailure(found)) return failed(true)
        const holds = found.success.manifest
        if (holds === null) return failed(found.success.there)
        return holds.files[0]?.object === manifest.files[0]?.object ? won : lost(holds)
      })

      return Manifests.of({ find, put })
    })
  )
}
