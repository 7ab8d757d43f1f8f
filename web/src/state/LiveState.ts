import { type Export, PAUSED, placeText, type Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { DateTime } from "effect"
import { furtherProgress, newerRow } from "./Order.ts"

/** What a person asked of an export and the server has not answered yet. */
export type Action = "cancel" | "retry" | "delete"

export interface Entry {
  /** Null while only its progress has been heard. */
  readonly row: Export | null
  /** Of the newest epoch heard of while it ran. */
  readonly progress: Progress | null
  /** The last word on what it waits for: its place in the queue, or what stands in its way (the farm's operator, an encoder that is missing). */
  readonly waiting: string | null
  /** Shown as if it had worked; taken back when it did not. */
  readonly action: Action | null
}

/** Everything live on the page. Changed by `reduce` alone. */
export interface LiveState {
  readonly entries: ReadonlyMap<ExportId, Entry>
  /** Deleted for good: ids are never used again, so a late answer cannot bring one back. */
  readonly gone: ReadonlySet<ExportId>
}

export type LiveEvent =
  /** Rows from wherever: snapshot, state, the answer to a click. Says nothing about other rows. */
  | { readonly type: "rows"; readonly exports: ReadonlyArray<Export> }
  /**
   * The newest rows as the server lists them. What was known when the list was asked for, is newer than the list's
   * oldest row and is missing, has been deleted elsewhere. `complete`: the list reaches to the oldest row.
   */
  | {
      readonly type: "listed"
      readonly exports: ReadonlyArray<Export>
      readonly complete: boolean
      /** By id, when they were created (ms). */
      readonly known: ReadonlyMap<ExportId, number>
    }
  | { readonly type: "progress"; readonly exportId: ExportId; readonly progress: Progress }
  | { readonly type: "gone"; readonly exportId: ExportId }
  | { readonly type: "asked"; readonly exportId: ExportId; readonly action: Action }
  /** The action was answered (its rows come as `rows` or `gone`) or failed: the truth shows again. */
  | { readonly type: "settled"; readonly exportId: ExportId }

export const empty: LiveState = { entries: new Map(), gone: new Set() }
const unknown: Entry = { row: null, progress: null, waiting: null, action: null }

const withProgress = (entry: Entry, progress: Progress): Entry => {
  if (progress.status === "pending") {
    const old = entry.row !== null && entry.row.epoch > progress.epoch
    return old || entry.waiting === progress.message ? entry : { ...entry, waiting: progress.message }
  }
  const further = furtherProgress(entry.progress, progress)
  return further === entry.progress ? entry : { ...entry, progress: further }
}

const withRow = (entry: Entry, said: Export): Entry => {
  const row = newerRow(entry.row, said)
  const next = row === entry.row ? entry : { ...entry, row }
  if (said.progress !== null) return withProgress(next, said.progress)
  const place = said.queuePosition === null ? null : placeText(said.queuePosition)
  const waiting = said.paused === true ? PAUSED : place
  const waits = said.status === "pending" && said.epoch === row.epoch && waiting !== next.waiting
  return waits ? { ...next, waiting } : next
}

const update = (state: LiveState, id: ExportId, change: (entry: Entry) => Entry): LiveState => {
  if (state.gone.has(id)) return state
  const known = state.entries.get(id)
  const next = change(known ?? unknown)
  return next === known ? state : { ...state, entries: new Map(state.entries).set(id, next) }
}

const bury = (state: LiveState, ids: Iterable<ExportId>): LiveState => {
  const fresh = [...ids].filter((id) => !state.gone.has(id))
  if (fresh.length === 0) return state
  const entries = new Map(state.entries)
  for (const id of fresh) entries.delete(id)
  return { entries, gone: new Set([...state.gone, ...fresh]) }
}

const withRows = (state: LiveState, rows: ReadonlyArray<Export>): LiveState =>
  rows.reduce((all, row) => update(all, row.id, (entry) => withRow(entry, row)), state)

const missing = (event: Extract<LiveEvent, { type: "listed" }>): ReadonlyArray<ExportId> => {
  const listed = new Set(event.exports.map((row) => row.id))
  // Ids and instants come from two clocks: only what is newer by both is surely within the list's reach.
  const oldest = event.exports.reduce((at, row) => Math.min(at, DateTime.toEpochMillis(row.createdAt)), Infinity)
  const lowest = event.exports.reduce((low: string, row) => (row.id < low ? row.id : low), "g")
  return [...event.known].flatMap(([id, created]) =>
    !listed.has(id) && (event.complete || (created > oldest && id > lowest)) ? [id] : []
  )
}

/** Pure; answers the same object when nothing changed. */
export const reduce = (state: LiveState, event: LiveEvent): LiveState => {
  switch (event.type) {
    case "rows":
      return withRows(state, event.exports)
    case "listed":
      return withRows(bury(state, missing(event)), event.exports)
    case "progress":
      return update(state, event.exportId, (entry) => withProgress(entry, event.progress))
    case "gone":
      return bury(state, [event.exportId])
    case "asked":
      return state.entries.has(event.exportId)
        ? update(state, event.exportId, (entry) => ({ ...entry, action: event.action }))
        : state
    case "settled":
      return update(state, event.exportId, (entry) => (entry.action === null ? entry : { ...entry, action: null }))
  }
}

/** The rows that are known, to go with the request of a list. */
export const knownRows = (state: LiveState): ReadonlyMap<ExportId, number> =>
  new Map(
    [...state.entries].flatMap(([id, { row }]) => (row === null ? [] : [[id, DateTime.toEpochMillis(row.createdAt)]]))
  )
