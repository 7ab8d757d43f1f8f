import { assert } from "@effect/vitest"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, BrowserContext, Page, Request, WebSocketRoute } from "playwright-core"
import { build } from "vite"
import { afterAll, beforeAll, onTestFinished, vi } from "vitest"
import { launchBrowser } from "./Chromium.ts"
import { type ProgressInput, wireProgress } from "./Rows.ts"
import { ScriptedServer, type WireRow } from "./ScriptedServer.ts"

export const connection = (page: Page, value: string) => page.locator(`[data-connection="${value}"]`).waitFor()
/** What surely comes, on the server's side. */
export const soon = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 30_000, interval: 20 })

/** The server's end of the WebSocket. It greets with what it is given, and can be taken away. */
const socketOf = async (context: BrowserContext) => {
  const socket = {
    there: true,
    greeting: (): unknown => ({ type: "snapshot", exports: [], cursor: "a:1" }),
    heard: [] as Array<unknown>,
    wire: null as WebSocketRoute | null,
    say: (message: unknown) => socket.wire?.send(JSON.stringify(message)),
    state: (row: WireRow) => socket.say({ type: "state", export: row, cursor: "a:2" }),
    progress: (row: WireRow, progress: ProgressInput) =>
      socket.say({ type: "progress", exportId: row.id, progress: wireProgress(progress) }),
    drop: async () => {
      socket.there = false
      await socket.wire?.close()
    }
  }
  await context.routeWebSocket(/\/ws$/, (wire) => {
    if (!socket.there) return void wire.close()
    socket.wire = wire
    wire.onMessage((message) => {
      const said: { type: string } = JSON.parse(String(message))
      socket.heard.push(said)
      if (said.type === "subscribe") socket.say(socket.greeting())
    })
  })
  return socket
}

export interface StageOptions {
  readonly width?: number
  /** Runs in each page before its own scripts. */
  readonly init?: () => void
}

/** For a test file as a whole: builds the page and starts one browser. What it answers sets the stage of one test. */
export const setStage = () => {
  let dist = ""
  let browser: Browser
  beforeAll(async () => {
    dist = await mkdtemp(join(tmpdir(), "reelay-web-"))
    const root = join(import.meta.dirname, "..")
    await build({
      root,
      configFile: join(root, "vite.config.ts"),
      logLevel: "error",
      build: { outDir: dist, emptyOutDir: true }
    })
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(dist, { recursive: true, force: true })
  })

  /** One person's browser before one server. What goes wrong in the page fails the test. */
  return async (options: StageOptions = {}) => {
    const server = new ScriptedServer(dist)
    await server.listen()
    const context = await browser.newContext({ viewport: { width: options.width ?? 1280, height: 860 } })
    if (options.init !== undefined) await context.addInitScript(options.init)
    const troubles: Array<string> = []
    context.on("weberror", (error) => troubles.push(String(error.error())))
    const socket = await socketOf(context)
    const out = new Set<Request>()
    context.on("request", (request) => {
      if (new URL(request.url()).pathname.startsWith("/api/")) out.add(request)
    })
    context.on("requestfinished", (request) => out.delete(request))
    context.on("requestfailed", (request) => out.delete(request))
    onTestFinished(async () => {
      await context.close()
      await server.close()
      assert.deepStrictEqual(troubles, [])
    })
    const open = async (path = "/"): Promise<Page> => {
      const page = await context.newPage()
      page.setDefaultTimeout(30_000)
      await page.goto(server.origin + path)
      return page
    }
    /** Live, and nothing asked that is not answered: what is read once more after a snapshot has been read. */
    const caughtUp = async (page: Page) => {
      await connection(page, "live")
      await soon(() => assert.strictEqual(out.size, 0))
    }
    return { server, context, socket, open, caughtUp }
  }
}
