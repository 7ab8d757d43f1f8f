import type { ExportId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { exportFile, exportFolder, taskManifest } from "@reelay/contracts/ObjectKeys"
import type { MadeFile, Manifest } from "@reelay/contracts/Plan"
import { findManifest } from "@reelay/platform/Manifests"
import type { ObjectStore } from "@reelay/platform/ObjectStore"
import type { ObjectStoreError } from "@reelay/platform/ObjectStore"
import type { StoredOutput } from "@reelay/platform/Tables"
import { Effect, Stream } from "effect"
import type { Command } from "./Events.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>
type Store = ObjectStore["Service"]

/** The manifest of a task that is done. Null: it is not; or a newer Reelay did it, which a newer encoder will say. */
export const manifestOf = (
  store: Store,
  user: UserId,
  task: TaskKey
): Effect.Effect<Manifest | null, ObjectStoreError> =>
  Effect.map(findManifest(store, user, task), (reading) => (reading._tag === "Done" ? reading.manifest : null))

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

/** Removes what was linked under epochs that `obsolete` says are. */
const clear = (store: Store, user: UserId, id: ExportId, obsolete: (epoch: number) => boolean) => {
  const folder = exportFolder(user, id)
  return store.list(folder).pipe(
    Stream.filter(({ key }) => obsolete(Number.parseInt(key.slice(folder.length), 10))),
    Stream.runForEach(({ key }) => store.remove(key))
  )
}

/** The final task's files under the export's own names, and nothing else there. Doing it twice is doing it once. */
export const linkOutputs = Effect.fn("Outputs.link")(function* (store: Store, command: Of<"Link">) {
  const { epoch, id, manifest, user } = command
  // Links of earlier epochs, which no completed row can show any more: a leader that lost its answer may have left them.
  // Those of later ones are another's: this leader may have been stopped for a while, and not know yet that it leads no more.
  if (epoch > 1) yield* clear(store, user, id, (other) => other < epoch)
  const posterFile = manifest.files.find((file) => file.role === "poster")
  const poster = posterFile === undefined ? null : exportFile(user, id, epoch, "poster.jpg")
  if (posterFile !== undefined && poster !== null) yield* store.link(posterFile.object, poster)
  const { missingGlyphs } = manifest
  const missing = missingGlyphs === undefined ? {} : { missingGlyphs }
  const outputs: Array<StoredOutput> = []
  for (const file of manifest.files) {
    if (file.role !== "media") continue
    const object = exportFile(user, id, epoch, file.name)
    yield* store.link(file.object, object)
    outputs.push({ output: outputOf(file), object, poster, ...missing })
  }
  return outputs
})

export const unlinkOutputs = (store: Store, { epoch, id, user }: Of<"Unlink">): Effect.Effect<void, ObjectStoreError> =>
  clear(store, user, id, (other) => other === epoch)
