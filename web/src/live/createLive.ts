import type { ServerMessage } from "@reelay/contracts/Socket"
import { createEffect, createMemo, createSignal, onCleanup } from "solid-js"
import type { TokenSource } from "../api/Token.ts"
import type { LiveEvent } from "../state/LiveState.ts"
import type { Exports } from "./createExports.ts"
import type { Session } from "./createSession.ts"
import { openLink } from "./Link.ts"
import { makePoller } from "./Poller.ts"

/** Milliseconds of news that are drawn at once. */
const DRAWN = 100

export type Connection = "connecting" | "live" | "polling" | "offline" | "signed-out"

export interface LiveOptions {
  readonly url: string
  readonly tokens: TokenSource
  readonly session: Session
  readonly exports: Exports
  readonly since: () => string | null
  readonly onCursor: (cursor: string) => void
}

/** Keeps the exports fresh: by the socket, and by asking while there is none. */
export const createLive = (options: LiveOptions) => {
  const { exports, session } = options
  const [up, setUp] = createSignal(false)
  const [asking, setAsking] = createSignal(false)
  const [online, setOnline] = createSignal(navigator.onLine)

  /** Socket, poll and person may want the list in the same moment: one question does for all. */
  let asked: ReturnType<Exports["refresh"]> | null = null
  const ask = () =>
    (asked ??= exports.refresh().finally(() => {
      asked = null
    }))
  /** What is asked already may have been answered before: then once more. */
  const askAnew = () => (asked === null ? ask() : asked.then(ask, ask))
  const poller = makePoller(async () => {
    if (!session.needed()) return ask()
    await session.renew()
    return "same"
  })

  // Forty exports speak a hundred and sixty times a second; nobody sees more than a few pictures of that.
  const news: Array<LiveEvent> = []
  let cursor: string | null = null
  let waiting: ReturnType<typeof setTimeout> | undefined
  const tell = () => {
    waiting = undefined
    if (news.length === 0) return
    exports.dispatch(...news.splice(0))
    if (cursor !== null) options.onCursor(cursor)
    waiting = setTimeout(tell, DRAWN)
  }
  /** The first word after a silence at once, what follows closely together. */
  const note = (event: LiveEvent, at: string | null) => {
    news.push(event)
    cursor = at ?? cursor
    if (waiting === undefined) tell()
  }

  const hear = (message: ServerMessage) => {
    switch (message.type) {
      case "snapshot":
        note({ type: "rows", exports: message.exports }, message.cursor)
        // A snapshot comes without what was deleted meanwhile, and the list says that.
        if (exports.loaded()) void askAnew().catch(() => {})
        return
      case "state":
        return note({ type: "rows", exports: [message.export] }, message.cursor)
      case "gone":
        return note({ type: "gone", exportId: message.exportId }, message.cursor)
      case "progress":
        return note({ type: "progress", exportId: message.exportId, progress: message.progress }, null)
      case "error":
        // The token may have run out on its way, and the next connection has another. Whether it does is HTTP's word.
        if (message.code === "unauthorized") void ask().catch(() => {})
        return
      case "ping":
        return
    }
  }

  const link = openLink({
    url: options.url,
    token: options.tokens.token,
    since: options.since,
    onMessage: hear,
    onUp: (now) => {
      setUp(now)
      if (now) {
        poller.stop()
        // Whatever failed before, the server is there now.
        if (exports.failure() !== null) void ask().catch(() => {})
      } else {
        poller.start()
      }
    }
  })
  poller.start()

  const load = async () => {
    setAsking(true)
    await ask().catch(() => {})
    setAsking(false)
  }
  const wake = () => {
    setOnline(true)
    if (up()) return
    link.reconnect()
    poller.hurry()
  }
  const sleep = () => setOnline(false)
  const look = () => {
    if (document.visibilityState === "visible") wake()
  }
  window.addEventListener("online", wake)
  window.addEventListener("offline", sleep)
  document.addEventListener("visibilitychange", look)
  // Knocking on with a token that was refused helps nobody; the next one opens the line again.
  createEffect(() => {
    if (session.needed()) link.close()
  })
  const forget = session.onSignedIn(() => link.reconnect())
  onCleanup(() => {
    window.removeEventListener("online", wake)
    window.removeEventListener("offline", sleep)
    document.removeEventListener("visibilitychange", look)
    forget()
    poller.stop()
    link.close()
    clearTimeout(waiting)
  })

  return {
    /** Asks right now; the outcome shows in `exports`. */
    load,
    loading: asking,
    connection: createMemo((): Connection => {
      if (session.needed()) return "signed-out"
      if (up()) return "live"
      const failed = exports.failure()
      const there = failed === null || (failed.status > 0 && failed.status < 500)
      if (!online() || !there) return "offline"
      return exports.loaded() ? "polling" : "connecting"
    })
  }
}
