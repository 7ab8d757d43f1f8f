import { Auth } from "@reelay/platform/Auth"
import { Config, Effect, Option } from "effect"
import type { IncomingMessage, Server } from "node:http"
import { connect } from "node:net"
import type { Duplex } from "node:stream"

/**
 * A browser knows one origin, so `/ws` is here and served by the notifier (`REELAY_NOTIFIER_URL`). The bytes of an upgraded
 * connection are piped as they are, headers included (Host, Origin: the notifier judges them as we do), so nothing of the
 * WebSocket has to be understood, and nothing is lost, on the way.
 */

/** Other offers (HTTP/2, by clients of Java's and curl's) are passed over: their requests are like all others. */
export const isSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === "websocket"

const isSocketPath = (url: string | undefined): boolean => /^\/ws(\?|$)/.test(url ?? "")

const refuse = (client: Duplex, status: number, title: string, code: string): void => {
  const body = JSON.stringify({ type: `urn:reelay:problem:${code}`, title, status, code })
  client.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n`
      + `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  )
}

/** The request as it came. Node has checked every name and value in it. */
const headOf = (request: IncomingMessage): string => {
  const lines = [`${request.method} ${request.url} HTTP/1.1`]
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`)
  return `${lines.join("\r\n")}\r\n\r\n`
}

const join = (notifier: URL, request: IncomingMessage, client: Duplex, head: Buffer): void => {
  const upstream = connect({
    host: notifier.hostname.replace(/^\[|\]$/g, ""),
    port: Number(notifier.port === "" ? 80 : notifier.port),
    noDelay: true
  })
  let joined = false
  upstream.once("connect", () => {
    joined = true
    upstream.write(headOf(request), "latin1")
    if (head.length > 0) upstream.write(head)
    client.pipe(upstream)
    upstream.pipe(client)
  })
  upstream.on("error", () => {
    if (joined) client.destroy()
    else refuse(client, 503, "Service Unavailable", "unavailable")
  })
  client.once("close", () => upstream.destroy())
}

/** Takes over all upgrades of `server`, which lets those of sockets come to this only. Its connections end with the scope. */
export const proxySockets = Effect.fnUntraced(function* (server: Server) {
  const auth = yield* Auth
  const notifier = yield* Config.option(Config.URL("REELAY_NOTIFIER_URL"))
  const open = new Set<Duplex>()
  const onUpgrade = (request: IncomingMessage, client: Duplex, head: Buffer): void => {
    client.on("error", () => client.destroy())
    open.add(client)
    client.once("close", () => open.delete(client))
    const { host, origin } = request.headers
    if (!auth.admits({ host, origin })) return refuse(client, 403, "Forbidden", "forbidden")
    if (Option.isNone(notifier) || !isSocketPath(request.url)) return refuse(client, 404, "Not Found", "not_found")
    join(notifier.value, request, client, head)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => server.removeAllListeners("upgrade").on("upgrade", onUpgrade)),
    () =>
      Effect.sync(() => {
        server.off("upgrade", onUpgrade)
        for (const client of open) client.destroy()
      })
  )
})
