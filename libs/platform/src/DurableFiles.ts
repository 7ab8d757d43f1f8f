import { closeSync, fsync, open } from "node:fs"
import { copyFile, link, mkdir, readdir, rm, rmdir, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { hasEnded } from "./ProcessIdentity.ts"

/** Files that appear whole or not at all, and are still there after the machine has lost its power. */

/** A folder may be pruned while it is made, and between its making and the move into it. */
const PLACE_ATTEMPTS = 50
const DAY_MILLIS = 86_400_000

export const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""

export const isMissing = (cause: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(cause))

/** Bytes are on the disk when their file is; a name, when its folder is. */
export const sync = (path: string): Promise<void> =>
  // By descriptor, and closed at once, which has nothing left to do: handles for each finished export are a good part
  // of what it costs the scheduler.
  new Promise((resolve, reject) => {
    open(path, "r", (missing, descriptor) => {
      if (missing !== null) return reject(missing)
      fsync(descriptor, (failed) => {
        closeSync(descriptor)
        if (failed === null) resolve()
        else reject(failed)
      })
    })
  })

interface Syncing {
  readonly now: Promise<void>
  next: Promise<void> | null
}
const syncings = new Map<string, Syncing>()

const beginSync = (path: string): Promise<void> => {
  // A folder that is gone again needs no syncing.
  const now = sync(path).catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause
  })
  const syncing: Syncing = { now, next: null }
  syncings.set(path, syncing)
  const over = () => {
    if (syncing.next === null) syncings.delete(path)
  }
  now.then(over, over)
  return now
}

/** One sync serves all who asked for it before it began: a folder that many things appear in is synced once for many. */
const syncFolder = (path: string): Promise<void> => {
  const syncing = syncings.get(path)
  if (syncing === undefined) return beginSync(path)
  const again = () => beginSync(path)
  syncing.next ??= syncing.now.then(again, again)
  return syncing.next
}

/** `made`: the uppermost folder that was made for it. */
const syncFolders = async (folder: string, made: string | undefined): Promise<void> => {
  const folders = [folder]
  if (made !== undefined) {
    for (let above = folder; above.length >= made.length; above = dirname(above)) folders.push(dirname(above))
  }
  await Promise.all(folders.map(syncFolder))
}

/**
 * Makes the folder of `target`, has something appear there by `move` (a rename or a link), and, unless it need not be
 * `durable`, has both on the disk.
 */
export const place = async (target: string, move: () => Promise<void>, durable = true): Promise<void> => {
  const folder = dirname(target)
  for (let attempt = 1; ; attempt++) {
    let made: string | undefined
    try {
      made = await mkdir(folder, { recursive: true })
      await move()
    } catch (cause) {
      if (isMissing(cause) && attempt < PLACE_ATTEMPTS) continue
      // Whoever put it there may have been killed before it was on the disk.
      if (codeOf(cause) === "EEXIST" && durable) await syncFolders(folder, folder)
      throw cause
    }
    return durable ? syncFolders(folder, made) : undefined
  }
}

/** A second name for the file; false, and nothing changed, when the target was there already. */
export const linkIfAbsent = (path: string, target: string, durable = true): Promise<boolean> =>
  place(target, () => link(path, target), durable).then(
    () => true,
    (cause: unknown) => {
      if (codeOf(cause) === "EEXIST") return false
      throw cause
    }
  )

/** For a file on another file system, or one that may not be linked. */
export const copyDurably = async (from: string, to: string): Promise<void> => {
  await copyFile(from, to)
  await sync(to)
}

/** Removes `folder` and those above it as far as they are empty, up to `root`, which stays. */
export const pruneEmpty = async (root: string, folder: string): Promise<void> => {
  if (!folder.startsWith(`${root}/`)) return
  const gone = await rmdir(folder).then(() => true, isMissing)
  if (gone) await pruneEmpty(root, dirname(folder))
}

/** Removes what ended processes left in `folder` (names begin with their identity), and what nobody here knows after a day. */
export const sweepTemporaries = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const isOld = () =>
      stat(path).then(
        (found) => Date.now() - found.mtimeMs > DAY_MILLIS,
        () => false
      )
    if (hasEnded(name) ?? (await isOld())) await rm(path, { recursive: true, force: true })
  }
}
