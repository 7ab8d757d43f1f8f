import { readFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join } from "node:path"
import { idOf, wireRow } from "./Rows.ts"

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml"
}

interface Asked {
  readonly videoId: WireRow["videoId"]
  readonly settings: object
  readonly segments?: unknown
}
export type WireRow = ReturnType<typeof wireRow>
export const wireVideo = (n: number, name: string) => ({
  id: idOf(n),
  name,
  status: "ready",
  bytes: 1000,
  container: "mp4",
  duration: 10,
  frames: 300,
  width: 640,
  height: 360,
  frameRate: 30,
  variableFrameRate: false,
  videoCodec: "h264",
  audioCodec: null,
  hasAudio: false,
  contentUrl: "/none",
  posterUrl: "/none",
  createdAt: new Date().toISOString()
})
const output = {
  name: "a.720p.mp4",
  contentType: "video/mp4",
  bytes: 12_400_000,
  duration: 10,
  frames: 300,
  width: 1280,
  height: 720,
  sha256: "0".repeat(64)
}
export const finished = (row: WireRow, at = new Date()): WireRow =>
  Object.assign(row, {
    status: "completed",
    outputs: [output],
    updatedAt: at.toISOString(),
    completedAt: at.toISOString()
  })

const bodyOf = async (request: IncomingMessage): Promise<Buffer | null> => {
  const chunks: Array<Buffer> = []
  try {
    for await (const chunk of request) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch {
    return null
  }
}

/**
 * The page's other side with every answer in the test's hand: what no healthy server does on request (refuse a cancel,
 * hang, vanish) is what the page has to live with. The wire's shapes are decoded by the page with the contracts.
 */
export class ScriptedServer {
  rows: Array<WireRow> = []
  /** The page below `rows`. */
  older: Array<WireRow> = []
  videos: Array<ReturnType<typeof wireVideo>> = []
  /** `refuse`: 503 problems to everything. `vanish`: connections are cut. */
  mode: "serve" | "refuse" | "vanish" = "serve"
  /** The only token that is let in; null: local mode. */
  token: string | null = null
  /** Answers to `POST /api/videos`, and when to give them. */
  upload: (name: string) => Promise<{ readonly status: number; readonly body: unknown }> = async (name) => {
    const video = wireVideo(900 + this.videos.length, name)
    this.videos.push(video)
    return { status: 201, body: video }
  }
  /** Refusals by `METHOD path`, held until the test lets them go. */
  readonly refusals = new Map<
    string,
    { readonly status: number; readonly body: unknown; readonly after?: Promise<void> }
  >()
  /** Until when lists that were read stay unanswered. */
  listsHeld: Promise<void> = Promise.resolve()
  readonly requests: Array<string> = []
  readonly created: Array<{ readonly key: string | undefined; readonly body: Asked }> = []
  origin = ""
  readonly #dist: string
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  constructor(dist: string) {
    this.#dist = dist
  }

  async listen(): Promise<void> {
    await new Promise<void>((ready) => this.#server.listen(0, "127.0.0.1", ready))
    this.origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }
  lists(): number {
    return this.requests.filter((request) => request.startsWith("GET /api/exports?")).length
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://x")
    if (!url.pathname.startsWith("/api/")) return this.#file(url.pathname, response)
    this.requests.push(`${request.method} ${request.url}`)
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" })
      response.end(body === null ? "" : JSON.stringify(body))
    }
    if (this.mode === "vanish") return void request.socket.destroy()
    if (this.mode === "refuse")
      return answer(503, { code: "unavailable", status: 503, title: "Not available right now" })
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) {
      return answer(401, { code: "unauthorized", status: 401, title: "A valid token is needed" })
    }
    const body = await bodyOf(request)
    // The page stopped sending: nobody waits for an answer.
    if (body === null) return
    const refusal = this.refusals.get(`${request.method} ${url.pathname}`)
    if (refusal !== undefined) {
      await refusal.after
      return answer(refusal.status, refusal.body)
    }
    return this.#api(request, url, body, answer)
  }

  async #api(
    request: IncomingMessage,
    url: URL,
    body: Buffer,
    answer: (status: number, body: unknown) => void
  ): Promise<void> {
    const page = (items: ReadonlyArray<unknown>) => answer(200, { items, nextCursor: null, total: items.length })
    const [, kind, id, verb] = url.pathname.slice(1).split("/")
    const row = this.rows.find((one) => one.id === id)
    const call = `${request.method} ${kind}${id === undefined ? "" : id === "active" || id === "recent" ? `/${id}` : "/:id"}${verb === undefined ? "" : `/${verb}`}`
    const now = new Date().toISOString()
    switch (call) {
      case "GET exports": {
        if (url.searchParams.has("cursor")) return page(this.older)
        const read = {
          items: this.rows,
          nextCursor: this.older.length === 0 ? null : "older",
          total: this.rows.length + this.older.length
        }
        await this.listsHeld
        return answer(200, read)
      }
      case "GET exports/active":
      case "GET exports/recent":
        return answer(200, { items: [] })
      case "GET videos":
        return page(this.videos)
      case "POST videos": {
        const { body: said, status } = await this.upload(url.searchParams.get("name") ?? "")
        return answer(status, said)
      }
      case "POST exports": {
        const asked: Asked = JSON.parse(body.toString())
        this.created.push({ key: request.headers["idempotency-key"]?.toString(), body: asked })
        const made = { ...wireRow({ n: 100 + this.created.length }), createdAt: now, updatedAt: now }
        this.rows.unshift(Object.assign(made, { videoId: asked.videoId }))
        return answer(202, made)
      }
    }
    if (kind === "videos") {
      const video = this.videos.find((one) => one.id === id)
      if (video === undefined) return answer(404, { code: "not_found", status: 404 })
      if (request.method !== "DELETE") return answer(200, video)
      this.videos = this.videos.filter((one) => one !== video)
      return answer(204, null)
    }
    if (row === undefined) return answer(404, { code: "not_found", status: 404, title: "Not found" })
    switch (call) {
      case "GET exports/:id":
        return answer(200, row)
      case "POST exports/:id/cancel":
        return answer(202, Object.assign(row, { status: "cancelled", updatedAt: now, completedAt: now }))
      case "POST exports/:id/retry":
        return answer(202, Object.assign(row, { status: "pending", updatedAt: now, completedAt: null, error: null }))
      case "DELETE exports/:id":
        this.rows = this.rows.filter((one) => one !== row)
        return answer(204, null)
      case "GET exports/:id/download":
        return answer(200, { url: "/favicon.svg?signed", expiresAt: new Date(Date.now() + 3_600_000).toISOString() })
      case "GET exports/:id/attempts":
        return answer(200, { items: [] })
      default:
        return answer(404, { code: "not_found", status: 404, title: "Not found" })
    }
  }

  async #file(path: string, response: ServerResponse): Promise<void> {
    const name = extname(path) === "" ? "index.html" : path
    const found = await readFile(join(this.#dist, name)).catch(() => null)
    response.writeHead(found === null ? 404 : 200, {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream"
    })
    response.end(found ?? "")
  }
}
