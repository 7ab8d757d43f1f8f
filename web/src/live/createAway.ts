import type { Export } from "@reelay/contracts/Export"
import { createEffect, createSignal, on, onCleanup } from "solid-js"
import type { Keep } from "../state/Keep.ts"
import { endedSince, nothingSeen, parse, readTo, remember, type Seen } from "../state/Seen.ts"
import type { Exports } from "./createExports.ts"

const key = (identity: string) => `reelay.seen.${identity}`

/**
 * What ended while nobody was looking: the page was closed, or in a hidden tab. Only what a visible page showed counts
 * as seen; coming back compares, says so, and remembers.
 */
export const createAway = (keep: Keep, exports: Exports) => {
  let identity: string | null = null
  let seen: Seen = nothingSeen
  let cursor: string | null = null
  /** Visible, with a list that has arrived: what changes now is seen. */
  let looking = false
  const [ended, setEnded] = createSignal<ReadonlyArray<Export>>([])

  const keepSeen = (next: Seen) => {
    if (next === seen) return
    seen = next
    if (identity !== null) keep.write(key(identity), JSON.stringify(seen))
  }
  const rememberNow = () => keepSeen(remember(seen, exports.rows(), Date.now()))
  const look = () => {
    looking = identity !== null && exports.loaded() && document.visibilityState === "visible"
    if (!looking || identity === null) return
    // Read again: another tab may have shown what this one missed.
    seen = parse(keep.read(key(identity)), Date.now())
    const fresh = endedSince(seen, exports.rows())
    if (fresh.length > 0) setEnded((said) => [...said.filter((row) => fresh.every((f) => f.id !== row.id)), ...fresh])
    rememberNow()
    if (cursor !== null) keepSeen(readTo(seen, cursor, Date.now()))
  }
  const leave = () => {
    if (looking) rememberNow()
  }
  document.addEventListener("visibilitychange", look)
  window.addEventListener("pagehide", leave)
  onCleanup(() => {
    document.removeEventListener("visibilitychange", look)
    window.removeEventListener("pagehide", leave)
  })
  createEffect(on(exports.loaded, look))
  createEffect(
    on(exports.rows, () => {
      if (looking) rememberNow()
    })
  )

  return {
    /** Whose memory it is, known before the first request. */
    recall: (whose: string) => {
      if (identity === whose) return
      identity = whose
      seen = parse(keep.read(key(whose)), Date.now())
      cursor = seen.cursor
      look()
    },
    /** Where the socket resumes. */
    cursor: () => cursor,
    onCursor: (now: string) => {
      cursor = now
      if (looking) keepSeen(readTo(seen, now, Date.now()))
    },
    /** What to tell of: exports as they were when they were noticed. */
    ended,
    dismiss: () => setEnded([])
  }
}
