import type { Work } from "@reelay/contracts/Plan"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { contentTypeOf } from "@reelay/render/Names"
import { Effect } from "effect"
import { copyFile } from "node:fs/promises"
import { join } from "node:path"
import { diskFull, TaskFailure } from "./Failure.ts"
import { type Inputs, present } from "./Inputs.ts"
import type { Made } from "./Made.ts"
import { systemCode, writeZip } from "./Zip.ts"

/** The archive of finished files: it says the frames and seconds of all of them together. */
export const makeZip = Effect.fnUntraced(function* (
  work: Extract<Work, { readonly _tag: "zip" }>,
  inputs: Inputs,
  { height, width }: { readonly width: number; readonly height: number },
  folder: string
) {
  const path = join(folder, "files.zip")
  const entries = work.files.map(({ name, task }) => ({ name, ...present(inputs.made.get(task)) }))
  yield* writeZip(path, entries).pipe(
    Effect.mapError((error) =>
      error.code === "ENOSPC" || error.code === "EDQUOT"
        ? diskFull(error.code)
        : new TaskFailure({ kind: "storage", message: "The archive could not be written.", log: error.code ?? "" })
    )
  )
  const media = entries.flatMap(({ manifest }) => manifest.files.filter((file) => file.role === "media"))
  const made: Made = {
    path,
    role: "media",
    name: work.name,
    contentType: contentTypeOf("zip"),
    frames: media.reduce((sum, file) => sum + file.frames, 0),
    duration: media.reduce((sum, file) => sum + file.duration, 0),
    width,
    height
  }
  // It shows the first film's picture.
  const poster = entries[0]?.manifest.files.find((file) => file.role === "poster")
  if (poster === undefined) return [made]
  const picture = join(folder, "poster.jpg")
  const from = yield* (yield* ObjectStore).fetch(poster.object)
  yield* Effect.tryPromise({
    try: () => copyFile(from, picture),
    catch: (cause) =>
      new TaskFailure({
        kind: "storage",
        message: "The archive's picture could not be copied.",
        log: systemCode(cause) ?? ""
      })
  })
  const { contentType, duration, frames, role } = poster
  const still: Made = {
    path: picture,
    role,
    name: "",
    contentType,
    frames,
    duration,
    width: poster.width,
    height: poster.height
  }
  return [made, still]
})
