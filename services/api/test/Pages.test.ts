import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { IncomingMessage, Server } from "node:http"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isProblem, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"

const PAGE = "<!doctype html><title>Reelay</title>"

describe("what a browser gets", () => {
  let api: ApiUnderTest
  let web: string
  let notifier: Server
  const asked: Array<IncomingMessage> = []
  beforeAll(async () => {
    web = await mkdtemp(join(tmpdir(), "reelay-web-"))
    await mkdir(join(web, "assets"))
    await writeFile(join(web, "index.html"), PAGE)
    await writeFile(join(web, "assets", "app-1a2b.js"), "export {}")
    await writeFile(join(web, "favicon.svg"), "<svg/>")
    // Speaks just enough of the handshake, then says back what it hears.
    notifier = createServer()
    notifier.on("upgrade", (request: IncomingMessage, socket) => {
      asked.push(request)
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      socket.pipe(socket)
    })
    await new Promise<void>((done) => notifier.listen(0, "127.0.0.1", done))
    const address = notifier.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    api = await startApi({ env: { REELAY_WEB: web, REELAY_NOTIFIER_URL: `ws://127.0.0.1:${port}` } })
  })
  afterAll(async () => {
    await api.close()
    notifier.closeAllConnections()
    notifier.close()
    await rm(web, { recursive: true })
  })
  const get = (path: string, accept = "text/html,*/*;q=0.8") =>
    fetch(api.url + path, { headers: { accept }, redirect: "manual" })

  it("the page at its address, and at those that only its own router knows", async () => {
    for (const path of ["/", "/index.html", "/exports/123", "/deep/er?x=1"]) {
      const answer = await get(path)
      assert.strictEqual(answer.status, 200, path)
      assert.strictEqual(await answer.text(), PAGE)
      assert.match(answer.headers.get("content-type") ?? "", /^text\/html/)
      assert.strictEqual(answer.headers.get("cache-control"), "no-cache")
      const policy = answer.headers.get("content-security-policy") ?? ""
      assert.include(policy, "default-src 'self'")
      assert.include(policy, "frame-ancestors 'none'")
      assert.notInclude(policy, "script-src 'unsafe")
    }
  })
  it("files by name; those with a digest for ever", async () => {
    const asset = await get("/assets/app-1a2b.js", "*/*")
    assert.strictEqual(asset.headers.get("cache-control"), "public, max-age=31536000, immutable")
    assert.match(asset.headers.get("content-type") ?? "", /javascript/)
    const again = await fetch(`${api.url}/assets/app-1a2b.js`, {
      headers: { "if-none-match": asset.headers.get("etag") ?? "" }
    })
    assert.strictEqual(again.status, 304)
    assert.strictEqual((await get("/favicon.svg", "image/*")).headers.get("cache-control"), "no-cache")
  })
  it("what is missing is a problem, not a page; and there is no way out of the folder", async () => {
    for (const [path, accept] of [
      ["/assets/old-9f.js", "*/*"],
      ["/nothing.png", "image/*"],
      ["/api/nothing", "text/html"],
      ["/api", "text/html"],
      ["/health/x", "text/html"],
      ["/exports/1", "application/json"]
    ] as const) {
      const answer = await get(path, accept)
      assert.strictEqual(answer.status, 404, path)
      assert.match(answer.headers.get("content-type") ?? "", /problem\+json/, path)
    }
    for (const path of ["/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%5c..%5cx"]) {
      const answer = await get(path, "*/*")
      assert.notInclude(await answer.text(), "root:")
      assert.strictEqual(answer.status, 404, path)
    }
    isProblem(await api.call("POST", "/", {}), 404, "not_found")
  })

  it("the docs page needs nothing from elsewhere", async () => {
    const answer = await get("/docs")
    const text = await answer.text()
    assert.strictEqual(answer.status, 200)
    assert.notMatch(text, /<(script|link)[^>]+(src|href)="https?:/)
    const policy = answer.headers.get("content-security-policy") ?? ""
    assert.include(policy, "connect-src 'self'")
    assert.notMatch(policy, /https?:/)
  })
  it("openapi.json names every call", async () => {
    const spec = record(await (await get("/openapi.json", "*/*")).json())
    const paths = record(spec["paths"])
    for (const path of [
      "/api/videos",
      "/api/projects/{id}/clips/order",
      "/api/exports/{id}/retry",
      "/api/nodes/{id}/drain",
      "/health/ready"
    ]) {
      assert.property(paths, path)
    }
    const create = JSON.stringify(record(record(paths["/api/exports"])["post"]))
    for (const part of ["idempotency-key", "429", "application/problem+json", "bearer"]) assert.include(create, part)
  })
  it("metrics for Prometheus", async () => {
    await get("/health/live")
    const answer = await get("/metrics", "*/*")
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/)
    assert.match(await answer.text(), /^reelay_http_requests_total\{.*method="GET".*status="200".*\} \d+$/m)
  })

  describe("/ws", () => {
    /** A raw upgrade; what is said and heard after it. */
    const upgrade = (path: string, headers: Record<string, string> = {}) =>
      new Promise<{
        readonly head: string
        readonly say: (text: string) => void
        readonly heard: () => string
        readonly end: () => void
      }>((done, failed) => {
        const { hostname, host, port } = new URL(api.url)
        const socket = connect(Number(port), hostname)
        let text = ""
        const lines = Object.entries({ host, upgrade: "websocket", connection: "Upgrade", ...headers })
        socket.write(`GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
        socket.on("error", failed)
        socket.on("data", (bytes) => {
          const before = text.includes("\r\n\r\n")
          text += bytes.toString("latin1")
          const [head] = text.split("\r\n\r\n")
          if (!before && text.includes("\r\n\r\n")) {
            done({
              head: head ?? "",
              say: (t) => socket.write(t, "latin1"),
              heard: () => text.slice((head?.length ?? 0) + 4),
              end: () => socket.destroy()
            })
          }
        })
      })

    it("leads to the notifier, as the browser sent it", async () => {
      const { host } = new URL(api.url)
      const open = await upgrade("/ws?token=abc", { origin: api.url, "sec-websocket-key": "k" })
      assert.match(open.head, /^HTTP\/1.1 101/)
      const request = asked.at(-1)
      assert.strictEqual(request?.url, "/ws?token=abc")
      assert.deepInclude(request?.headers ?? {}, { host, origin: api.url, "sec-websocket-key": "k" })
      open.say("\x81\x05hello")
      await until("the echo", async () => open.heard() === "\x81\x05hello")
      open.end()
    })
    it("not for other pages, not elsewhere", async () => {
      const before = asked.length
      assert.match((await upgrade("/ws", { origin: "https://evil.example" })).head, /^HTTP\/1.1 403/)
      assert.match((await upgrade("/ws", { host: "evil.example" })).head, /^HTTP\/1.1 403/)
      for (const path of ["/", "/wsx", "/api/exports", "/ws/deep", "/ws/"])
        assert.match((await upgrade(path)).head, /^HTTP\/1.1 404/)
      assert.strictEqual(asked.length, before)
    })
    it("an offer to speak HTTP/2, as Java's and curl's clients make it, is passed over", async () => {
      const offer = { upgrade: "h2c", connection: "Upgrade, HTTP2-Settings", "http2-settings": "AAMAAABkAAQAAP__" }
      assert.match((await upgrade("/health/live", offer)).head, /^HTTP\/1.1 200/)
    })
    it("without an upgrade it is nothing", async () => {
      isProblem(await api.call("GET", "/ws"), 404, "not_found")
    })
    it("a notifier that is away: 503, and the api goes on", async () => {
      const alone = await startApi({ env: { REELAY_NOTIFIER_URL: "ws://127.0.0.1:1" } })
      try {
        const socket = connect(Number(new URL(alone.url).port), "127.0.0.1")
        socket.write(
          `GET /ws HTTP/1.1\r\nhost: ${new URL(alone.url).host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n`
        )
        const text = await new Promise<string>((done) => socket.once("data", (bytes) => done(bytes.toString())))
        assert.match(text, /^HTTP\/1.1 503/)
        assert.include(text, "urn:reelay:problem:unavailable")
        assert.strictEqual((await alone.call("GET", "/health/live")).status, 200)
        isProblem(await alone.call("GET", "/"), 404, "not_found")
      } finally {
        await alone.close()
      }
    })
  })

  it("stops with sockets open", async () => {
    const brief = await startApi({ env: { REELAY_NOTIFIER_URL: api.env["REELAY_NOTIFIER_URL"] ?? "" } })
    const socket = connect(Number(new URL(brief.url).port), "127.0.0.1")
    socket.write(
      `GET /ws HTTP/1.1\r\nhost: ${new URL(brief.url).host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n`
    )
    await new Promise((done) => socket.once("data", done))
    const closed = new Promise((done) => socket.once("close", done))
    const began = performance.now()
    await brief.close()
    await closed
    assert.isBelow(performance.now() - began, 15_000)
  })
})
