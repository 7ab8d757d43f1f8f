/**
 * Which finished work is given up when there is too much of it. Pure. An entry is a task's folder in `cache/`: what it made,
 * and the manifest that says so.
 */
export interface Entry {
  /** `cache/<tenant>/<task>/` */
  readonly folder: string
  /** That its removal frees: what an export has under a name of its own stays on the disk, and costs the cache nothing. */
  readonly bytes: number
  /** When it was made or found last, milliseconds since 1970. */
  readonly usedMillis: number
}

/** What the cache may come to, in bytes. `free` and `total` of the disk are null where the store has no such thing. */
export const allowance = (
  wanted: { readonly bytes: number | null; readonly free: number | null },
  disk: { readonly free: number | null; readonly total: number | null },
  held: number
): number => {
  const limit = wanted.bytes ?? (disk.total === null ? Number.POSITIVE_INFINITY : disk.total * SHARE)
  if (disk.free === null) return limit
  const floor = wanted.free ?? (disk.total ?? 0) * FLOOR
  return Math.min(limit, Math.max(0, held - Math.max(0, floor - disk.free)))
}

/** Of the disk, unless told otherwise: what the cache may take, and what it leaves free. */
const SHARE = 0.2
const FLOOR = 0.05

/**
 * The entries that go, in order: least recently used first, until what stays fits. Never a live one, and none that would free
 * nothing: then more may stay than is allowed.
 */
export const evict = (
  entries: ReadonlyArray<Entry>,
  allowed: number,
  isLive: (entry: Entry) => boolean
): ReadonlyArray<Entry> => {
  let held = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  if (held <= allowed) return []
  const victims: Array<Entry> = []
  for (const entry of entries.toSorted((a, b) => a.usedMillis - b.usedMillis)) {
    if (held <= allowed) break
    if (entry.bytes === 0 || isLive(entry)) continue
    victims.push(entry)
    held -= entry.bytes
  }
  return victims
}
