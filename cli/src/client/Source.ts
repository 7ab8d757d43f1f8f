import { Effect } from "effect"
import { constants } from "node:fs"
import { access, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { Failure } from "../Failure.ts"

/** The file that a person named, looked at before anything is started for it. */
export interface Source {
  readonly path: string
  readonly name: string
  readonly bytes: number
}

const why = (path: string) => (cause: unknown) =>
  new Failure({
    code: "input_error",
    message:
      cause instanceof Error && "code" in cause && cause.code === "ENOENT"
        ? `there is no file ${path}`
        : `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  })

export const sourceOf = Effect.fn("Source.of")(function* (file: string) {
  const path = resolve(file)
  const found = yield* Effect.tryPromise({ try: () => stat(path), catch: why(path) })
  if (!found.isFile()) return yield* new Failure({ code: "input_error", message: `${path} is not a file` })
  if (found.size === 0) return yield* new Failure({ code: "input_error", message: `${path} is empty` })
  yield* Effect.tryPromise({ try: () => access(path, constants.R_OK), catch: why(path) })
  return { path, name: basename(path), bytes: found.size } satisfies Source
})

/** Bytes, on the file systems that there are. */
const LONGEST_NAME = 255

/** Where the result goes: what `-o` says (a file, or a folder to put it in), else beside the source. */
export const targetOf = Effect.fn("Source.target")(function* (
  source: Source,
  wanted: string | null,
  resolution: string,
  format: string
) {
  const usual = `${source.name}.${resolution}.${format}`
  const given = wanted === null ? join(dirname(source.path), usual) : resolve(wanted)
  const isFolder = yield* Effect.promise(() =>
    stat(given).then(
      (found) => found.isDirectory(),
      () => false
    )
  )
  const path = isFolder ? join(given, usual) : given
  if (path === source.path) {
    return yield* new Failure({
      code: "validation",
      message: "the result would replace the source; name another file with -o"
    })
  }
  if (Buffer.byteLength(basename(path)) > LONGEST_NAME) {
    return yield* new Failure({
      code: "validation",
      message: "the result's name would be too long; name another file with -o"
    })
  }
  yield* Effect.tryPromise({
    try: () => access(dirname(path), constants.W_OK),
    catch: () =>
      new Failure({ code: "validation", message: `the folder ${dirname(path)} is not there or cannot be written` })
  })
  return path
})
