import { type Export, ExportStatus, isTerminal } from "@reelay/contracts/Export"
import { DateTime, Result, Schema } from "effect"

/**
 * What this browser has shown its user, so that the page can say what finished meanwhile. Kept in localStorage per
 * user; it is a memory aid, never a truth: losing it costs one sentence on the page.
 */
const Mark = Schema.Struct({ status: ExportStatus, at: Schema.Finite })
export const Seen = Schema.Struct({
  v: Schema.Literal(1),
  /** The newest instant on any row that was shown, by Postgres' clock (ms). Null: nothing yet. */
  latest: Schema.NullOr(Schema.Finite),
  /** Where the socket's events were read to; opaque. */
  cursor: Schema.NullOr(Schema.String),
  /** When `cursor` and `latest` were written, by this browser's clock (ms). */
  at: Schema.Finite,
  /** What was shown of each export, and when (this browser's clock, ms). */
  marks: Schema.Record(Schema.String, Mark)
})
export type Seen = typeof Seen.Type

/** Milliseconds after which a memory is dropped. */
export const MEMORY = 24 * 3_600_000
/** A mark still true after this many milliseconds is written again, lest a page open for days forget what it shows. */
const RENEW = 3_600_000
/** More marks than this are not kept; the newest stay. */
export const MARKS = 500

export const nothingSeen: Seen = { v: 1, latest: null, cursor: null, at: 0, marks: {} }

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Seen))

/** Without what is older than a day, or from a clock that was ahead. */
export const prune = (seen: Seen, now: number): Seen => {
  const fresh = (at: number) => at <= now + 60_000 && now - at <= MEMORY
  const marks = Object.entries(seen.marks)
    .filter(([, mark]) => fresh(mark.at))
    .toSorted(([, a], [, b]) => b.at - a.at)
    .slice(0, MARKS)
  return {
    ...seen,
    latest: fresh(seen.at) ? seen.latest : null,
    cursor: fresh(seen.at) ? seen.cursor : null,
    marks: Object.fromEntries(marks)
  }
}

/** From storage. Damaged or of another version: as if nothing had been seen. */
export const parse = (text: string | null, now: number): Seen =>
  text === null
    ? nothingSeen
    : Result.match(decode(text), {
        onFailure: () => nothingSeen,
        onSuccess: (seen) => prune(seen, now)
      })

/**
 * Exports that ended (completed or failed) since this browser last looked: it had shown them as active, or had not
 * shown them at all and they ended after the newest thing it had shown. What a person cancelled is no news.
 */
export const endedSince = (seen: Seen, rows: ReadonlyArray<Export>): ReadonlyArray<Export> =>
  rows.filter((row) => {
    if (row.status !== "completed" && row.status !== "failed") return false
    const mark = seen.marks[row.id]
    if (mark !== undefined) return !isTerminal(mark.status)
    const ended = DateTime.toEpochMillis(row.completedAt ?? row.updatedAt)
    return seen.latest !== null && ended > seen.latest
  })

/** After these rows were shown. The same object when there is nothing to write. */
export const remember = (seen: Seen, rows: ReadonlyArray<Export>, now: number): Seen => {
  const latest = rows.reduce((at, row) => Math.max(at, DateTime.toEpochMillis(row.updatedAt)), seen.latest ?? -Infinity)
  const changed = rows.filter((row) => {
    const mark = seen.marks[row.id]
    return mark === undefined || mark.status !== row.status || now - mark.at > RENEW
  })
  if (changed.length === 0 && latest === (seen.latest ?? -Infinity)) return seen
  const marks = { ...seen.marks }
  for (const row of changed) marks[row.id] = { status: row.status, at: now }
  return prune({ ...seen, latest: Number.isFinite(latest) ? latest : null, at: now, marks }, now)
}

export const readTo = (seen: Seen, cursor: string, now: number): Seen =>
  seen.cursor === cursor ? seen : { ...seen, cursor, at: now }
