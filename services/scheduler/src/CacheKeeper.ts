import { TaskKey, UserId } from "@reelay/contracts/Ids"
import { taskFolder } from "@reelay/contracts/ObjectKeys"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { exports_ } from "@reelay/platform/Tables"
import { eq, sql } from "drizzle-orm"
import { Clock, Duration, Effect, Metric, Schema, Stream } from "effect"
import { allowance, type Entry, evict } from "./Eviction.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"

/**
 * Keeps the cache of finished work within its bound (decision 21). Who leads does it, so it is done once; which plans are
 * live is asked of Postgres, so that a leader that does not know yet that it leads no more gives up nothing that is
 * needed. Whatever goes wrong here, or races with it, costs work that is done again, never an export.
 */
const MANIFEST = "manifest.json"
/** A look costs no more than this share of the time, however large the cache. */
const LOOKS_SHARE = 0.02

const heldBytes = Metric.gauge("reelay_cache_bytes", {
  description: "Bytes of finished work that no export has under a name of its own"
})
const evictions = Metric.counter("reelay_cache_evictions_total", {
  description: "Tasks whose finished work was given up for want of space",
  incremental: true
})
const evictedBytes = Metric.counter("reelay_cache_evicted_bytes_total", {
  description: "Bytes that this freed",
  incremental: true
})

interface Folder {
  /** Null: what is there is nobody's, or not finished. */
  manifest: number | null
  newest: number
  bytes: number
  readonly keys: Array<string>
}

/** `cache/<tenant>/<task>/…` */
const folderOf = (key: string): string | null => {
  const [cache, tenant, task, file] = key.split("/")
  return file === undefined ? null : `${cache}/${tenant}/${task}/`
}

/** Everything there is, by folder, from one walk. */
const foldersOf = Effect.fnUntraced(function* () {
  const store = yield* ObjectStore
  const folders = new Map<string, Folder>()
  yield* Stream.runForEachArray(store.list("cache/"), (found) =>
    Effect.sync(() => {
      for (const { key, modifiedMillis, shared, size } of found) {
        const name = folderOf(key)
        if (name === null) continue
        const folder = folders.get(name) ?? { manifest: null, newest: 0, bytes: 0, keys: [] }
        folders.set(name, folder)
        if (key === name + MANIFEST) folder.manifest = modifiedMillis
        else {
          folder.keys.push(key)
          if (!shared) folder.bytes += size
        }
        folder.newest = Math.max(folder.newest, modifiedMillis)
      }
    })
  )
  return folders
})

const Live = Schema.Array(Schema.Struct({ user: UserId, keys: Schema.Array(TaskKey) }))
const decodeLive = Schema.decodeUnknownEffect(Live)

/** Folders of every task of every plan that runs. */
const liveFolders = Effect.fnUntraced(function* () {
  const rows = yield* (yield* Database).query("live tasks", (db) =>
    db
      .select({
        user: exports_.userId,
        keys: sql<unknown>`jsonb_path_query_array(${exports_.plan}, '$.tasks[*].key')`
      })
      .from(exports_)
      .where(eq(exports_.status, "processing"))
  )
  return new Set((yield* decodeLive(rows)).flatMap(({ keys, user }) => keys.map((key) => taskFolder(user, key))))
})

/**
 * The manifest first: from then on the work is not done, and whoever wants it does it again. It stays when it was of use
 * since the walk. What others put there meanwhile is theirs.
 */
const giveUp = Effect.fnUntraced(function* (name: string, { keys, manifest }: Folder) {
  const store = yield* ObjectStore
  const now = yield* store.head(name + MANIFEST)
  if ((now?.modifiedMillis ?? null) !== manifest) return false
  if (now !== null) yield* store.remove(name + MANIFEST)
  for (const key of keys) yield* store.remove(key)
  return true
})

/** One look, and what follows from it; answers with the folders that went. */
export const keepWithin = Effect.fn("CacheKeeper.keepWithin")(function* () {
  const { cache } = yield* SchedulerConfig
  const store = yield* ObjectStore
  const began = yield* Clock.currentTimeMillis
  const folders = yield* foldersOf()
  const entries = [...folders].map(([folder, { bytes, manifest, newest }]): Entry => ({
    folder,
    bytes,
    usedMillis: manifest ?? newest
  }))
  const held = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  yield* Metric.update(heldBytes, held)
  const disk = { free: yield* store.freeBytes, total: yield* store.totalBytes }
  const allowed = allowance(cache, disk, held)
  if (held <= allowed) return []

  // Asked after the walk: what it did not see as live has ended, or is found anew and young.
  const live = yield* liveFolders()
  const young = began - cache.lookMillis
  const victims = evict(entries, allowed, ({ folder, usedMillis }) => usedMillis >= young || live.has(folder))
  const gone: Array<string> = []
  let freed = 0
  for (const { bytes, folder } of victims) {
    const what = folders.get(folder)
    if (what === undefined || !(yield* giveUp(folder, what))) continue
    gone.push(folder)
    freed += bytes
  }
  yield* Metric.update(evictions, gone.length)
  yield* Metric.update(evictedBytes, freed)
  yield* Metric.update(heldBytes, held - freed)
  if (gone.length > 0) {
    yield* Effect.logInfo("finished work was given up for want of space", { tasks: gone.length, bytes: freed, allowed })
  }
  return gone
})

/** For ever: a look, and a pause that is long against it. */
export const keepCache = Effect.gen(function* () {
  const { cache } = yield* SchedulerConfig
  while (true) {
    const [took] = yield* keepWithin().pipe(
      Effect.catchCause((cause) => Effect.logWarning("the cache could not be looked after", cause)),
      Effect.timed
    )
    yield* Effect.sleep(Duration.millis(Math.max(cache.lookMillis, Duration.toMillis(took) / LOOKS_SHARE)))
  }
})
