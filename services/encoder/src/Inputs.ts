import type { ImageId, TaskKey } from "@reelay/contracts/Ids"
import type { SourceLocation } from "@reelay/contracts/Media"
import type { Manifest, Plan, Task } from "@reelay/contracts/Plan"
import type { SpecImage } from "@reelay/contracts/RenderSpec"
import { ObjectStore, type ObjectStoreError } from "@reelay/platform/ObjectStore"
import { Effect, type Scope } from "effect"
import { stat } from "node:fs/promises"
import { dirname } from "node:path"
import { TaskFailure } from "./Failure.ts"
import { Manifests } from "./Manifests.ts"
import type { NewerPlan } from "./Plans.ts"
import { systemCode } from "./Zip.ts"

/** What a task reads, as local files for the scope's length. */
export interface Inputs {
  /** By position in the spec's sources: those that the task reads. */
  readonly sources: ReadonlyMap<number, string>
  readonly images: ReadonlyMap<ImageId, string>
  /** By key: the tasks that were needed. */
  readonly made: ReadonlyMap<TaskKey, { readonly path: string; readonly manifest: Manifest }>
  /** Bytes of all of them. */
  readonly bytes: number
  /** Whether a source that lies elsewhere is still the one that was accepted. To be asked again at the end. */
  readonly unchanged: Effect.Effect<void, TaskFailure>
}

const gone = (log: string, what = "source video") =>
  new TaskFailure({ kind: "input", message: `The ${what} is no longer where it was.`, log })
const changed = () =>
  new TaskFailure({ kind: "input", message: "The source video was changed after the export was requested.", log: "" })

/** Footage used where it lies: the same size and time as recorded, or it is another video. */
const checkFile = Effect.fnUntraced(function* (location: Extract<SourceLocation, { readonly _tag: "file" }>) {
  const found = yield* Effect.tryPromise({ try: () => stat(location.path), catch: systemCode }).pipe(
    Effect.catch((code) =>
      // Its folder is there, it is not: somebody removed it. Without the folder this node may lack a mount.
      Effect.promise(() =>
        stat(dirname(location.path)).then(
          () => true,
          () => false
        )
      ).pipe(
        Effect.flatMap((folderIsThere) =>
          Effect.fail(
            code === "ENOENT" && folderIsThere
              ? gone("ENOENT")
              : new TaskFailure({
                  kind: "storage",
                  message: "The encoder node cannot reach the source video.",
                  log: code ?? ""
                })
          )
        )
      )
    )
  )
  if (found.size !== location.bytes || Math.floor(found.mtimeMs) !== location.modifiedMillis) return yield* changed()
})

/** Positions of the sources that a task reads, each once. */
export const sourcesOf = (plan: Plan, { work }: Pick<Task, "work">): ReadonlyArray<number> => {
  const sourcesOfClips = (...clips: ReadonlyArray<{ readonly clip: number }>) => [
    ...new Set(clips.flatMap(({ clip }) => plan.spec.clips[clip]?.source ?? []))
  ]
  switch (work._tag) {
    case "chunk":
    case "copy":
    case "sound":
    case "soundcopy":
      return sourcesOfClips(work)
    case "dissolve":
    case "crossfade":
      return sourcesOfClips(work.first, work.second)
    case "pass":
      return [...new Set(work.parts.flatMap((part) => sourcesOf(plan, part)))]
    case "mux":
      // What was copied is compared with where it comes from.
      return sourcesOfClips(
        ...plan.tasks.flatMap((task) =>
          task.work._tag === "copy" && work.chunks.includes(task.key) ? [task.work] : []
        )
      )
    case "soundtrack":
    case "zip":
      return []
  }
}

/** The images over the clips that a task shows, each once. Whether its frames show them is not asked. */
export const imagesOf = (plan: Plan, { work }: Pick<Task, "work">): ReadonlyArray<SpecImage> => {
  const { clips, images = [] } = plan.spec
  const over = (...shown: ReadonlyArray<{ readonly clip: number }>) => {
    const overlays = shown.flatMap(({ clip }) => clips[clip]?.overlays ?? [])
    return images.filter(({ imageId }) => overlays.some((one) => one.type === "image" && one.imageId === imageId))
  }
  switch (work._tag) {
    case "chunk":
      return over(work)
    case "dissolve":
      return over(work.first, work.second)
    case "pass":
      return [...new Set(work.parts.flatMap((part) => imagesOf(plan, part)))]
    default:
      return []
  }
}

/** Tasks whose media a task reads, in no order, each once. */
export const neededBy = ({ work }: Task): ReadonlyArray<TaskKey> => {
  switch (work._tag) {
    case "chunk":
    case "copy":
    case "dissolve":
    case "sound":
    case "soundcopy":
    case "crossfade":
    case "pass":
      return []
    case "soundtrack":
      return [...new Set(work.pieces)]
    case "mux":
      return [...new Set([...work.chunks, ...(work.soundtrack === null ? [] : [work.soundtrack])])]
    case "zip":
      return [...new Set(work.files.map((file) => file.task))]
  }
}

/** Brings everything that a task reads to this node. */
export const inputsOf: (
  plan: Plan,
  task: Task
) => Effect.Effect<Inputs, TaskFailure | ObjectStoreError | NewerPlan, ObjectStore | Manifests | Scope.Scope> =
  Effect.fn("Inputs.inputsOf")(function* (plan: Plan, task: Task) {
    const store = yield* ObjectStore
    const manifests = yield* Manifests

    const sources = new Map<number, string>()
    const checks: Array<Inputs["unchanged"]> = []
    let bytes = 0
    for (const position of sourcesOf(plan, task)) {
      const source = plan.spec.sources[position]
      if (source === undefined) continue
      bytes += source.media.bytes
      const { location } = source
      if (location._tag === "file") {
        const check = checkFile(location)
        yield* check
        checks.push(check)
        sources.set(position, location.path)
      } else {
        const path = yield* store
          .fetch(location.key)
          .pipe(Effect.mapError((error) => (error.reason === "not_found" ? gone("not_found") : error)))
        sources.set(position, path)
      }
    }
    const unchanged = Effect.all(checks, { discard: true })

    const images = new Map<ImageId, string>()
    for (const image of imagesOf(plan, task)) {
      const path = yield* store
        .fetch(image.object)
        .pipe(
          Effect.mapError((error) => (error.reason === "not_found" ? gone("not_found", "image of an overlay") : error))
        )
      images.set(image.imageId, path)
      bytes += image.bytes
    }

    const fetched = yield* Effect.forEach(
      neededBy(task),
      Effect.fnUntraced(function* (key: TaskKey) {
        const manifest = yield* manifests.find(plan.spec.tenant, key)
        const media = manifest?.files.find((file) => file.role === "media")
        if (manifest === null || media === undefined) {
          return yield* new TaskFailure({
            kind: "storage",
            message: "An intermediate file is gone.",
            log: `task ${key}`
          })
        }
        return [key, { path: yield* store.fetch(media.object), manifest, size: media.bytes }] as const
      }),
      { concurrency: 8 }
    )
    for (const [, { size }] of fetched) bytes += size
    return { sources, images, made: new Map(fetched), bytes, unchanged }
  })

/** An input that the task needs: it was fetched before the task began. */
export const present = <A>(input: A | undefined): A => {
  if (input === undefined) throw new Error("the task reads what it does not need")
  return input
}
