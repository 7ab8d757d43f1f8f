import { type Export, type ExportRequest, isTerminal } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { createMemo, createSignal } from "solid-js"
import type { Client } from "../api/Client.ts"
import { type Failure, failureOf } from "../api/Problem.ts"
import { type ExportView, shownIds, viewOf } from "../state/ExportView.ts"
import {
  type Action,
  empty,
  type Entry,
  knownRows,
  type LiveEvent,
  type LiveState,
  reduce
} from "../state/LiveState.ts"

const PAGE = 50

const sameItems = <A>(a: ReadonlyArray<A>, b: ReadonlyArray<A>): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i])

/** The exports: what is known of them, and what can be done with them. */
export const createExports = (client: Client) => {
  const [state, setState] = createSignal<LiveState>(empty)
  const [loaded, setLoaded] = createSignal(false)
  const [failure, setFailure] = createSignal<Failure | null>(null)
  const [older, setOlder] = createSignal<string | null>(null)
  const [loadingOlder, setLoadingOlder] = createSignal(false)
  const [olderFailure, setOlderFailure] = createSignal<Failure | null>(null)
  const [notes, setNotes] = createSignal<ReadonlyMap<ExportId, string>>(new Map())

  /** An entry that did not change keeps its view: news of one export disturb no other's picture. */
  const views = new WeakMap<Entry, ExportView | null>()
  /** Answers whether anything changed. However many events, the page is drawn once. */
  const dispatch = (...events: ReadonlyArray<LiveEvent>): boolean => {
    const before = state()
    return setState((known) => events.reduce(reduce, known)) !== before
  }
  const note = (id: ExportId, text: string | null) =>
    setNotes((all) => {
      const next = new Map(all)
      if (text === null) next.delete(id)
      else next.set(id, text)
      return next
    })

  /** Active and lately ended exports may stand below the newest page. Their absence is no failure. */
  const readRecent = async () => {
    const parts = await Promise.allSettled([client.active(), client.recent()])
    for (const part of parts) {
      if (part.status === "fulfilled") dispatch({ type: "rows", exports: part.value.items })
    }
  }

  /** Reads the newest page, the first time with all that is recent; answers whether it brought anything new. */
  const refresh = async (): Promise<"changed" | "same"> => {
    const known = knownRows(state())
    try {
      const [page] = await Promise.all([client.exports({ limit: PAGE }), loaded() ? null : readRecent()])
      const changed = dispatch({ type: "listed", exports: page.items, complete: page.nextCursor === null, known })
      // Pages further down, once opened, keep their own cursor.
      if (!loaded()) setOlder(page.nextCursor)
      setLoaded(true)
      setFailure(null)
      return changed ? "changed" : "same"
    } catch (error) {
      setFailure(failureOf(error))
      throw error
    }
  }

  const loadOlder = async () => {
    const cursor = older()
    if (cursor === null || loadingOlder()) return
    setLoadingOlder(true)
    setOlderFailure(null)
    try {
      const page = await client.exports({ limit: PAGE, cursor })
      dispatch({ type: "rows", exports: page.items })
      setOlder(page.nextCursor)
    } catch (error) {
      setOlderFailure(failureOf(error))
    } finally {
      setLoadingOlder(false)
    }
  }

  /** Shows the outcome at once; a refusal takes it back and stands on the card in words. */
  const act = (action: Action, ask: (id: ExportId) => Promise<Export | null>) => async (id: ExportId) => {
    if (state().entries.get(id)?.action !== null) return
    note(id, null)
    dispatch({ type: "asked", exportId: id, action })
    try {
      const row = await ask(id)
      dispatch(row === null ? { type: "gone", exportId: id } : { type: "rows", exports: [row] })
    } catch (error) {
      const failed = failureOf(error)
      if (action === "delete" && failed.status === 404) dispatch({ type: "gone", exportId: id })
      else note(id, failed.message)
      // The refusal most often means that this page was behind: read what is.
      if (failed.kind === "refused") void refresh().catch(() => {})
    } finally {
      dispatch({ type: "settled", exportId: id })
    }
  }

  /** Progress changes no row, so it wakes nobody who looks at rows. */
  const rows = createMemo(
    () => [...state().entries.values()].flatMap((entry) => (entry.row === null ? [] : [entry.row])),
    [],
    { equals: sameItems }
  )

  return {
    dispatch,
    /** Every known row, in no order. */
    rows,
    ids: createMemo(() => shownIds(state()), [], { equals: sameItems }),
    view: (id: ExportId) => {
      const entry = state().entries.get(id)
      if (entry === undefined) return null
      const known = views.get(entry)
      if (known !== undefined) return known
      const view = viewOf(entry)
      views.set(entry, view)
      return view
    },
    active: createMemo(() => rows().filter((row) => !isTerminal(row.status)).length),
    loaded,
    failure,
    refresh,
    hasOlder: () => older() !== null,
    loadingOlder,
    olderFailure,
    loadOlder,
    /** Why the last action on this export was refused. */
    note: (id: ExportId) => notes().get(id) ?? null,
    create: async (request: ExportRequest, key: string) => {
      const row = await client.create(request, key)
      dispatch({ type: "rows", exports: [row] })
      return row
    },
    cancel: act("cancel", client.cancel),
    retry: act("retry", client.retry),
    remove: act("delete", client.remove)
  }
}
export type Exports = ReturnType<typeof createExports>
