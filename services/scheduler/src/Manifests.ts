import type { TaskKey, UserId } from "@reelay/contracts/Ids"
import { exportFile, exportFolder, taskManifest } from "@reelay/contracts/ObjectKeys"
import { Manifest } from "@reelay/contracts/Plan"
import type { MadeFile } from "@reelay/contracts/Plan"
import type { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import type { StoredOutput } from "@reelay/platform/Tables"
import { Effect, Schema, Stream } from "effect"
import type { Command } from "./Events.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>
type Store = ObjectStore["Service"]

const decodeManifest = Schema.decodeUnknownEffect(Schema.fromJsonString(Manifest))

/** Null: the task is not done. One that does not decode counts as none: it is removed, so that the work can be done. */
export const readManifest = Effect.fn("Manifests.read")(function* (store: Store, user: UserId, task: TaskKey) {
  const key = taskManifest(user, task)
  const bytes = yield* store.getBytes(key).pipe(
    Effect.catchIf(
      (error) => error.reason === "not_found",
      () => Effect.succeed(null)
    )
  )
  if (bytes === null) return null
  return yield* decodeManifest(new TextDecoder().decode(bytes)).pipe(
    Effect.catch((error) =>
      Effect.logError("a manifest does not decode and is removed", error.message).pipe(
        Effect.annotateLogs({ key }),
        Effect.andThen(store.remove(key)),
        Effect.as(null)
      )
    )
  )
})

export const disown = (store: Store, user: UserId, task: TaskKey): Effect.Effect<void, ObjectStoreError> =>
  store.remove(taskManifest(user, task))

const outputOf = ({ bytes, contentType, duration, frames, height, name, sha256, width }: MadeFile) => ({
  name,
  contentType,
  bytes,
  duration,
  frames,
  width,
  height,
  sha256
})

/**
 * Links of earlier epochs, which no completed row can show any more: a leader that lost its answer may have left them.
 * Those of later ones are another's: this leader may have been stopped for a while, and not know yet that it leads no more.
 */
const clearEarlier = (store: Store, { epoch, id, user }: Of<"Link">) => {
  const folder = exportFolder(user, id)
  return store.list(folder).pipe(
    Stream.filter(({ key }) => Number.parseInt(key.slice(folder.length), 10) < epoch),
    Stream.runForEach(({ key }) => store.remove(key))
  )
}

/** The final task's files under the export's own names, and nothing else there. Doing it twice is doing it once. */
export const linkOutputs = Effect.fn("Manifests.link")(function* (store: Store, command: Of<"Link">) {
  const { epoch, id, manifest, user } = command
  if (epoch > 1) yield* clearEarlier(store, command)
  const posterFile = manifest.files.find((file) => file.role === "poster")
  const poster = posterFile === undefined ? null : exportFile(user, id, epoch, "poster.jpg")
  if (posterFile !== undefined && poster !== null) yield* store.link(posterFile.object, poster)
  const outputs: Array<StoredOutput> = []
  for (const file of manifest.files) {
    if (file.role !== "media") continue
    const object = exportFile(user, id, epoch, file.name)
    yield* store.link(file.object, object)
    outputs.push({ output: outputOf(file), object, poster })
  }
  return outputs
})

export const unlinkOutputs = (store: Store, command: Of<"Unlink">): Effect.Effect<void, ObjectStoreError> =>
  store.removeAll(`${exportFolder(command.user, command.id)}${command.epoch}/`)
