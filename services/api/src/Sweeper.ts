import { Database } from "@reelay/platform/Database"
import { readingOf } from "@reelay/platform/Manifests"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { exports_, images, videos } from "@reelay/platform/Tables"
import { inArray } from "drizzle-orm"
import { Clock, Duration, Effect, Layer, Schedule, Stream } from "effect"

/**
 * Objects come before their row (or manifest) and go after it, so a crash in between leaves some that nothing names.
 * Once a day's distance makes sure that nobody is at work on them any more, they go. Several apis may sweep at once.
 */
const OLD_ENOUGH = Duration.toMillis("1 day")
const SCHEDULE = Schedule.spaced("6 hours").pipe(Schedule.jittered)
/** Rows that are looked up at once. */
const BATCH = 500
/** A crash leaves a few. A store of which the database knows little is another database's, and is not touched. */
const isOurs = (unknown: number, all: number): boolean => unknown <= Math.max(10, all / 10)

/** `<kind>/<tenant>/<id>/…`: the row that it belongs to, and the folder that goes with that row. */
export const ownerOf = (key: string): { readonly id: string; readonly folder: string } | null => {
  const [kind, tenant, id, rest] = key.split("/")
  if (kind === undefined || tenant === undefined || id === undefined || rest === undefined) return null
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? { id, folder: `${kind}/${tenant}/${id}/` } : null
}

const MANIFEST = "manifest.json"
const KINDS = [
  { prefix: "sources/", table: videos },
  { prefix: "images/", table: images },
  { prefix: "exports/", table: exports_ },
  { prefix: "plans/", table: exports_ }
] as const

/** The folders under a prefix, by the id that they belong to; true: all of it is old. */
const foldersUnder = Effect.fnUntraced(function* (prefix: string) {
  const store = yield* ObjectStore
  const before = (yield* Clock.currentTimeMillis) - OLD_ENOUGH
  const folders = new Map<string, { readonly id: string; readonly old: boolean }>()
  yield* Stream.runForEach(store.list(prefix), ({ key, modifiedMillis }) =>
    Effect.sync(() => {
      const owner = ownerOf(key)
      if (owner === null) return
      const others = folders.get(owner.folder)?.old ?? true
      folders.set(owner.folder, { id: owner.id, old: others && modifiedMillis < before })
    })
  )
  return folders
})

/** `cache/<tenant>/<task>/<maker>-<file>` (of earlier versions `…/<maker>/<file>`): the manifest that names it, if it holds. */
const manifestFor = (key: string): string | null => {
  const [cache, tenant, task, file] = key.split("/")
  return file === undefined || file === MANIFEST ? null : `${cache}/${tenant}/${task}/${MANIFEST}`
}

/** What a manifest names; nothing where there is none, or none that can be read; null where it is a newer Reelay's. */
const namedBy = Effect.fnUntraced(function* (key: string) {
  const store = yield* ObjectStore
  const bytes = yield* store.find(key)
  if (bytes === null) return new Set<string>()
  const reading = readingOf(bytes)
  if (reading._tag === "Newer") return null
  if (reading._tag === "Done") return new Set<string>(reading.manifest.files.map((file) => file.object))
  // Who has done the work anew meanwhile has named files of their own.
  return (yield* store.removeIf(key, bytes)) ? new Set<string>() : null
})

/** Removes what encoders made that were killed before its manifest was written; answers with the keys. */
const sweepCache = Effect.fnUntraced(function* () {
  const store = yield* ObjectStore
  const before = (yield* Clock.currentTimeMillis) - OLD_ENOUGH
  const made = new Map<string, Array<string>>()
  yield* Stream.runForEach(store.list("cache/"), ({ key, modifiedMillis }) =>
    Effect.sync(() => {
      const manifest = manifestFor(key)
      if (manifest !== null && modifiedMillis < before) made.set(manifest, [...(made.get(manifest) ?? []), key])
    })
  )
  const swept: Array<string> = []
  for (const [manifest, keys] of made) {
    const named = yield* namedBy(manifest)
    if (named === null) continue
    for (const key of keys) {
      if (named.has(key)) continue
      yield* store.remove(key)
      swept.push(key)
    }
  }
  return swept
})

/** Removes what no row and no manifest names; answers with the folders and keys. */
export const sweep = Effect.fn("Sweeper.sweep")(function* () {
  const database = yield* Database
  const store = yield* ObjectStore
  const swept: Array<string> = []
  for (const { prefix, table } of KINDS) {
    const folders = yield* foldersUnder(prefix)
    const old = [...folders].filter(([, folder]) => folder.old)
    const unknown: Array<string> = []
    for (let at = 0; at < old.length; at += BATCH) {
      const batch = old.slice(at, at + BATCH)
      const rows = yield* database.query("sweep", (db) =>
        db
          .select({ id: table.id })
          .from(table)
          .where(
            inArray(
              table.id,
              batch.map(([, { id }]) => id)
            )
          )
      )
      const known = new Set(rows.map((row) => row.id))
      unknown.push(...batch.flatMap(([folder, { id }]) => (known.has(id) ? [] : [folder])))
    }
    if (!isOurs(unknown.length, folders.size)) {
      yield* Effect.logWarning(
        `${unknown.length} of ${folders.size} folders under ${prefix} are not in the database: is this its store? Nothing is removed.`
      )
      continue
    }
    for (const folder of unknown) yield* store.removeAll(folder)
    swept.push(...unknown)
  }
  swept.push(...(yield* sweepCache()))
  if (swept.length > 0) yield* Effect.logInfo(`removed ${swept.length} places of objects that nothing names`)
  return swept
})

export const sweeper = Layer.effectDiscard(
  sweep().pipe(
    Effect.catchCause((cause) => Effect.logWarning("sweeping failed", cause)),
    Effect.delay("10 minutes"),
    Effect.repeat(SCHEDULE),
    Effect.forkScoped
  )
)
