import { Effect } from "effect"
import { copyFileSync, mkdirSync, openSync, readFileSync, statSync, truncateSync } from "node:fs"
import { dirname } from "node:path"

const ROTATE_BYTES = 8 * 1024 * 1024

/** A file descriptor to append to. The child writes into the file itself: its log outlives whoever started it. */
export const openLog = (path: string) =>
  Effect.sync(() => {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, "a", 0o600)
  })

/** Keeps what there is as `<path>.1` when it has grown. The writer goes on at the (then empty) file's end. */
export const rotate = (path: string, limit: number = ROTATE_BYTES) =>
  Effect.try(() => {
    if (statSync(path).size <= limit) return
    copyFileSync(path, `${path}.1`)
    truncateSync(path)
  }).pipe(Effect.ignore)

/** The last lines, for people. */
export const tail = (path: string, lines = 8): string => {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-lines).join("\n")
  } catch {
    return ""
  }
}
