import { Forbidden, NotFound, UnsupportedMedia, Validation } from "@reelay/contracts/Problem"
import { Config, Context, Effect, Layer, Schema } from "effect"
import { realpath, stat } from "node:fs/promises"
import { isAbsolute, relative, resolve, sep } from "node:path"

/** Whether an absolute path is `root` or lies below it. Pure: both are taken as they are written. */
export const isWithin = (root: string, path: string): boolean => {
  const way = relative(root, path)
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

/**
 * Footage that may be used where it lies: `REELAY_MEDIA_ROOTS` (folders, separated by commas). What a path really is
 * counts, so a symbolic link leads nowhere else; of what is outside, not even its existence is told.
 */
export class MediaRoots extends Context.Service<
  MediaRoots,
  {
    /** The real path of a regular file under one of the roots. */
    admit(path: string): Effect.Effect<string, Forbidden | NotFound | UnsupportedMedia | Validation>
  }
>()("@reelay/api/MediaRoots") {
  static readonly layer = Layer.effect(
    MediaRoots,
    Effect.gen(function* () {
      const listed = yield* Config.Array(Schema.String, "REELAY_MEDIA_ROOTS").pipe(Config.withDefault([]))
      const roots = listed
        .map((root) => root.trim())
        .filter((root) => root !== "")
        .map((root) => resolve(root))

      return MediaRoots.of({
        admit: Effect.fn("MediaRoots.admit")(function* (path) {
          if (roots.length === 0)
            return yield* new Forbidden({ detail: "No folder of footage is shared with Reelay (REELAY_MEDIA_ROOTS)." })
          if (!isAbsolute(path)) return yield* invalid("path", "must be absolute")
          const outside = new Forbidden({
            detail: "This path is not in a folder of footage that is shared with Reelay."
          })
          const real = yield* Effect.promise(() => Promise.all(roots.map((root) => realpath(root).catch(() => null))))
          const places = real.filter((root) => root !== null)
          const named = resolve(path)
          if (![...roots, ...places].some((root) => isWithin(root, named))) return yield* outside
          const found = yield* Effect.promise(() => realpath(named).catch(() => null))
          if (found === null) return yield* new NotFound({ detail: "There is no file at this path." })
          if (!places.some((root) => isWithin(root, found))) return yield* outside
          const isFile = yield* Effect.promise(() =>
            stat(found).then(
              (s) => s.isFile(),
              () => false
            )
          )
          if (!isFile) return yield* new UnsupportedMedia({ detail: "This path is no file." })
          return found
        })
      })
    })
  )
}

const invalid = (field: string, message: string) =>
  new Validation({ detail: `${field} ${message}.`, errors: [{ field, message }] })
