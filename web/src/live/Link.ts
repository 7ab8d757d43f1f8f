import { type ClientMessage, CLOSE, ServerMessage } from "@reelay/contracts/Socket"
import { Result, Schema } from "effect"
import ReconnectingWebSocket from "partysocket/ws"

/** The server pings every 20 s; a line that is silent for longer than two of them is dead (ms). */
export const SILENCE = 45_000
/** Milliseconds, half as long again at the most, before a server is tried again that has no room for one more. */
export const CROWDED = 60_000
/** Milliseconds after opening when a server that has nothing to tell counts as there all the same. */
const SETTLED = 1000

export interface LinkOptions {
  readonly url: string
  /** Asked anew for every connection. */
  readonly token: () => Promise<string | null>
  /** Where to resume, asked anew for every connection. */
  readonly since: () => string | null
  readonly onMessage: (message: ServerMessage) => void
  /** Called on every change. `true`: news will come by themselves. */
  readonly onUp: (up: boolean) => void
  readonly WebSocket?: unknown
}

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(ServerMessage))
const encode = (message: ClientMessage): string => JSON.stringify(message)

/**
 * The one socket of the app, kept up for as long as the page lives: reconnects with backoff, tells who it is in the
 * first message (a token in the URL would stand in logs), subscribes to everything from the last cursor on.
 */
export const openLink = (options: LinkOptions) => {
  let token: string | null = null
  let up = false
  let silence: ReturnType<typeof setTimeout> | undefined
  let settled: ReturnType<typeof setTimeout> | undefined
  let putOff: ReturnType<typeof setTimeout> | undefined

  const socket = new ReconnectingWebSocket(
    async () => {
      token = await options.token()
      return options.url
    },
    null,
    {
      // Not all pages in the same moment when a server comes back.
      minReconnectionDelay: 500 + Math.random() * 500,
      maxReconnectionDelay: 10_000,
      reconnectionDelayGrowFactor: 1.6,
      connectionTimeout: 5000,
      minUptime: 5000,
      maxEnqueuedMessages: 0,
      shouldReconnectOnClose: ({ code }) => code !== CLOSE.crowded,
      ...(options.WebSocket === undefined ? {} : { WebSocket: options.WebSocket })
    }
  )

  const change = (now: boolean) => {
    if (up === now) return
    up = now
    options.onUp(up)
  }
  const reconnect = () => {
    clearTimeout(putOff)
    socket.reconnect()
  }
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(reconnect, SILENCE)
  }

  socket.addEventListener("open", () => {
    if (token !== null) socket.send(encode({ type: "auth", token }))
    socket.send(encode({ type: "subscribe", exports: "all", since: options.since() }))
    heard()
    clearTimeout(settled)
    settled = setTimeout(() => change(true), SETTLED)
  })
  socket.addEventListener("message", (event) => {
    heard()
    const message = decode(event.data)
    // A newer server may say what this page does not know yet; a reload brings the page that does.
    if (Result.isFailure(message)) return
    if (message.success.type !== "error") change(true)
    options.onMessage(message.success)
  })
  socket.addEventListener("close", ({ code }) => {
    clearTimeout(silence)
    clearTimeout(settled)
    if (code === CLOSE.crowded) putOff = setTimeout(reconnect, CROWDED * (1 + Math.random() / 2))
    change(false)
  })

  return {
    /** Now, without waiting for the backoff: the network is back, or the person signed in. */
    reconnect,
    close: () => {
      socket.close()
      clearTimeout(putOff)
      clearTimeout(silence)
      clearTimeout(settled)
      change(false)
    }
  }
}
