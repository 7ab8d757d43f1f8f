import { assert, describe, it } from "@effect/vitest"
import type { BrowserContext, Locator, Page } from "playwright-core"
import { missingGlyphsWarning, missingTogether } from "@reelay/contracts/Warning"
import { type ProgressInput, wireRow } from "./Rows.ts"
import { finished, type WireRow, wireVideo } from "./ScriptedServer.ts"
import { connection, setStage, soon } from "./Stage.ts"

const stage = setStage()

const card = (page: Page, row: WireRow): Locator => page.locator(`[data-export-id="${row.id}"]`)
const status = (page: Page, row: WireRow, value: string) =>
  page.locator(`[data-export-id="${row.id}"][data-status="${value}"]`).waitFor()
const percentOf = async (page: Page, row: WireRow): Promise<number> =>
  Number(await card(page, row).getByRole("progressbar").getAttribute("aria-valuenow"))
const percent = (page: Page, row: WireRow, value: number) =>
  card(page, row).locator(`[role=progressbar][aria-valuenow="${value}"]`).waitFor()
const running = (n = 1, input: Partial<ProgressInput> = {}) =>
  wireRow({ n, epoch: 1, status: "processing", progress: { epoch: 1, percent: 30, elapsed: 5, ...input } })
/** For pages that are opened from here on: they do nothing by themselves that waits for a time. */
const stopTime = async (context: BrowserContext): Promise<void> => {
  await context.clock.install()
  await context.clock.pauseAt(Date.now() + 1000)
}
/** What the page waits some seconds for comes now, what it gives up comes not yet. Wants a context whose clock was installed. */
const hurry = (page: Page): Promise<void> => page.clock.fastForward(4500)
const file = (name: string, bytes = 1000) => ({ name, mimeType: "video/mp4", buffer: Buffer.alloc(bytes, 1) })

describe("an export, from the file to the finished video", () => {
  it("is uploaded, asked for, followed live, never backwards, and had", async () => {
    const { server, socket, open } = await stage()
    const page = await open()
    await page.getByText("No exports yet").waitFor()
    await connection(page, "live")
    await page.getByLabel("Choose videos").setInputFiles(file("Holiday.mp4"))
    await page.getByRole("radio", { name: "1080p" }).check({ force: true })
    await page.locator('[data-phase="ready"]').waitFor()
    await page.getByRole("button", { name: "Export", exact: true }).click()
    await page.getByRole("heading", { name: "Holiday.mp4" }).waitFor()
    const [row] = server.rows
    if (row === undefined) throw new Error("nothing was asked for")
    await status(page, row, "pending")
    assert.propertyVal(server.created[0]?.body.settings, "resolution", "1080p")
    assert.match(server.created[0]?.key ?? "", /^[0-9a-f]{32}$/)

    Object.assign(row, { status: "processing", epoch: 1, updatedAt: new Date().toISOString() })
    socket.state(row)
    socket.progress(row, { epoch: 1, percent: 42.7, elapsed: 3, speed: 2.34, eta: 61 })
    await percent(page, row, 42)
    await card(page, row).getByText("2.3× speed · about 1 min left").waitFor()
    socket.progress(row, { epoch: 1, percent: 10, elapsed: 4, speed: 1 })
    await card(page, row).getByText("1.0× speed").waitFor()
    assert.strictEqual(await percentOf(page, row), 42)

    socket.state(finished(row))
    await status(page, row, "completed")
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      card(page, row).getByRole("button", { name: "Download" }).click()
    ])
    assert.strictEqual(download.suggestedFilename(), "a.720p.mp4")
    await card(page, row).getByRole("button", { name: "Play" }).click()
    await page.locator(`video[src="/favicon.svg?signed"]`).waitFor()
  })

  it("goes on after a reload from where it is", async () => {
    const { server, open } = await stage()
    const row = running(1, { percent: 64 })
    server.rows = [row]
    const page = await open()
    await percent(page, row, 64)
    Object.assign(row.progress as object, { percent: 71 })
    await page.reload()
    await percent(page, row, 71)
  })

  it("is found finished after the page was closed, which is said once", async () => {
    const { server, socket, context, open } = await stage()
    const row = running()
    server.rows = [row, running(2)]
    server.videos = [wireVideo(900, "Holiday.mp4")]
    const page = await open()
    await status(page, row, "processing")
    await connection(page, "live")
    await page.close()
    finished(row)
    const again = await open()
    const notice = again.getByText("1 export finished while you were away")
    await notice.waitFor()
    assert.deepInclude(socket.heard.at(-1), { type: "subscribe", since: "a:1" })
    await again.getByRole("button", { name: "Dismiss" }).click()
    await notice.waitFor({ state: "detached" })
    await again.reload()
    await status(again, row, "completed")
    assert.strictEqual(await notice.count(), 0)
    assert.strictEqual(context.pages().length, 1)
  })
})

describe("what is asked for", () => {
  it("shows at once, and is taken back with the reason when it is refused", async () => {
    const { server, open } = await stage()
    const row = running()
    server.rows = [row]
    let letGo = () => {}
    const after = new Promise<void>((resolve) => (letGo = resolve))
    server.refusals.set(`POST /api/exports/${row.id}/cancel`, {
      status: 503,
      body: { code: "unavailable", status: 503 },
      after
    })
    const page = await open()
    await card(page, row).getByRole("button", { name: "Cancel" }).click()
    await status(page, row, "cancelled")
    letGo()
    await status(page, row, "processing")
    await card(page, row).getByRole("alert").getByText("cannot take this right now").waitFor()
    server.refusals.clear()
    await card(page, row).getByRole("button", { name: "Cancel" }).click()
    await card(page, row).getByRole("button", { name: "Retry" }).click()
    await status(page, row, "pending")
    await soon(() => assert.strictEqual(row.status, "pending"))
  })

  it("is deleted only when that is confirmed, and comes back when it could not be", async () => {
    const { server, open } = await stage()
    const row = finished(running())
    server.rows = [row]
    const page = await open()
    const remove = card(page, row).getByRole("button", { name: "Delete" })
    await remove.click()
    await page.getByRole("dialog").waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "hidden" })
    assert.isTrue(await remove.evaluate((element) => element === document.activeElement))

    server.refusals.set(`DELETE /api/exports/${row.id}`, { status: 503, body: { code: "unavailable", status: 503 } })
    await remove.click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await card(page, row).getByRole("alert").waitFor()
    server.refusals.clear()
    await remove.click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await page.getByText("No exports yet").waitFor()
    await soon(() => assert.deepStrictEqual(server.rows, []))
  })

  it("starts by itself after the upload; an upload can be stopped, a wrong file says why", async () => {
    const { server, open } = await stage()
    const usual = server.upload
    let arrive = () => {}
    const arrived = new Promise<void>((resolve) => (arrive = resolve))
    server.upload = async (name) => {
      if (name === "notes.mp4")
        return { status: 422, body: { code: "unsupported_media", status: 422, detail: "notes.mp4 is no video." } }
      await arrived
      return usual(name)
    }
    const page = await open()
    await page
      .getByLabel("Choose videos")
      .setInputFiles([file("a.mp4"), file("notes.mp4"), file("stopped.mp4"), file("empty.mp4", 0)])
    await page.getByRole("listitem", { name: "notes.mp4" }).getByText("notes.mp4 is no video.").waitFor()
    await page.getByRole("listitem", { name: "empty.mp4" }).getByText("This file is empty.").waitFor()
    await page.getByRole("button", { name: "Stop uploading stopped.mp4" }).click()
    await page.getByRole("listitem", { name: "stopped.mp4" }).waitFor({ state: "detached" })
    await page.getByRole("button", { name: "Export", exact: true }).click()
    await page.getByText("Keep this page open").waitFor()
    assert.strictEqual(server.created.length, 0)
    arrive()
    await page.getByRole("heading", { name: "a.mp4" }).waitFor()
    assert.strictEqual(server.created.length, 1)
  })

  it("is sent again under the same key when the answer was lost", async () => {
    const { server, open } = await stage()
    const page = await open()
    await page.getByLabel("Choose videos").setInputFiles(file("a.mp4"))
    await page.locator('[data-phase="ready"]').waitFor()
    await page.route(
      "**/api/exports",
      async (route) => {
        if (route.request().method() !== "POST") return route.continue()
        // It arrives, and its answer does not.
        await route.fetch()
        await route.abort()
      },
      { times: 1 }
    )
    await page.getByRole("button", { name: "Export", exact: true }).click()
    await page.getByText("Reelay cannot be reached right now.").waitFor()
    await page.getByRole("button", { name: "Export", exact: true }).click()
    await page.locator(".draft").waitFor({ state: "detached" })
    assert.strictEqual(server.created.length, 2)
    assert.strictEqual(server.created[0]?.key, server.created[1]?.key)
  })

  it("is trimmed by keyboard alone", async () => {
    const { server, open } = await stage()
    server.videos = [wireVideo(900, "Earlier.mp4")]
    const page = await open()
    await page.getByText("Uploaded earlier").press("Enter")
    await page.getByRole("button", { name: "Use Earlier.mp4" }).press("Enter")
    await page.getByRole("button", { name: "Trim" }).press("Enter")
    await page.getByRole("textbox", { name: "End" }).fill("7,5")
    await page.getByRole("textbox", { name: "End" }).press("Enter")
    await page.getByRole("slider", { name: "Start handle" }).press("PageUp")
    await page.getByRole("textbox", { name: "Start" }).fill("abc")
    await page.getByRole("textbox", { name: "Start" }).press("Tab")
    await page.getByText("Write a time like 1:02.5").waitFor()
    await page.getByRole("textbox", { name: "Start" }).fill("0:02.25")
    await page.getByRole("textbox", { name: "Start" }).press("Enter")
    await page.getByText("Keeps 0:05.25 of 0:10.00").waitFor()
    assert.strictEqual(server.created.length, 0)
    await page.getByRole("button", { name: "Export", exact: true }).press("Enter")
    await page.locator(".draft").waitFor({ state: "detached" })
    assert.deepInclude(server.created[0]?.body, { segments: [{ start: 2.25, end: 7.5 }] })
  })
})

describe("when something is not there", () => {
  it("asks while the socket is down, and stops asking when it is back", async () => {
    const { server, socket, context, open, caughtUp } = await stage()
    await context.clock.install()
    const row = running()
    server.rows = [row]
    socket.there = false
    const page = await open()
    await percent(page, row, 30)
    await connection(page, "polling")
    Object.assign(row.progress as object, { percent: 55 })
    await hurry(page)
    await percent(page, row, 55)
    const [other, deleted] = [running(2), running(3)]
    server.rows = [other, deleted]
    await hurry(page)
    await card(page, row).waitFor({ state: "detached" })
    // The socket comes back while a question is out that was answered before the last was deleted.
    let letGo = () => {}
    server.listsHeld = new Promise<void>((resolve) => (letGo = resolve))
    const answered = server.lists()
    await hurry(page)
    await soon(() => assert.strictEqual(server.lists(), answered + 1))
    server.rows = [other]
    socket.there = true
    await hurry(page)
    await connection(page, "live")
    letGo()
    // With the snapshot the page reads the list once more, for what was deleted meanwhile.
    await card(page, deleted).waitFor({ state: "detached" })
    await caughtUp(page)
    const lists = server.lists()
    assert.strictEqual(lists, answered + 2)
    socket.progress(other, { epoch: 1, percent: 80, elapsed: 9 })
    await percent(page, other, 80)
    for (const now of [85, 90]) {
      await page.clock.fastForward(20_000)
      socket.progress(other, { epoch: 1, percent: now, elapsed: now })
      await percent(page, other, now)
    }
    assert.strictEqual(server.lists(), lists)
  })

  it("says that it has no connection, and catches up by itself", async () => {
    const { server, socket, context, open, caughtUp } = await stage()
    await context.clock.install()
    const row = running()
    server.rows = [row]
    const page = await open()
    await caughtUp(page)
    server.mode = "vanish"
    await socket.drop()
    await connection(page, "polling")
    await hurry(page)
    await page.getByText("No connection to Reelay.").waitFor()
    await connection(page, "offline")
    server.mode = "serve"
    finished(row)
    await hurry(page)
    await status(page, row, "completed")
    await page.getByText("No connection to Reelay.").waitFor({ state: "detached" })
  })

  it("says that the list could not be loaded, and loads it when asked to", async () => {
    const { server, socket, context, open } = await stage()
    await stopTime(context)
    server.mode = "refuse"
    socket.there = false
    const page = await open()
    await page.getByText("The exports could not be loaded").waitFor()
    server.mode = "serve"
    await page.getByRole("button", { name: "Try again" }).click()
    await page.getByText("No exports yet").waitFor()
  })

  it("says that older exports could not be loaded, and loads them when asked again", async () => {
    const { server, open, caughtUp } = await stage()
    const old = finished(running(7))
    server.rows = [running()]
    server.older = [old]
    const page = await open()
    const more = page.getByRole("button", { name: "Show older exports" })
    await more.waitFor()
    await caughtUp(page)
    server.refusals.set("GET /api/exports", { status: 503, body: { code: "unavailable", status: 503 } })
    await more.click()
    await page.getByRole("alert").getByText("cannot take this right now").waitFor()
    server.refusals.clear()
    await more.click()
    await status(page, old, "completed")
    assert.strictEqual(await page.getByRole("alert").count(), 0)
  })

  it("says at an export's own address that it could not be loaded, which is another thing than being gone", async () => {
    const { server, socket, context, open } = await stage()
    await stopTime(context)
    const row = running()
    server.rows = [row]
    server.mode = "refuse"
    socket.there = false
    const page = await open(`/exports/${row.id}`)
    await page.getByText("The export could not be loaded").waitFor()
    server.mode = "serve"
    await page.getByRole("button", { name: "Try again" }).click()
    await status(page, row, "processing")

    const gone = wireRow({ n: 77 }).id
    server.refusals.set(`GET /api/exports/${gone}`, { status: 503, body: { code: "unavailable", status: 503 } })
    await page.goto(page.url().replace(row.id, gone))
    await page.getByText("The export could not be loaded").waitFor()
    server.refusals.clear()
    await page.getByRole("button", { name: "Try again" }).click()
    await page.getByText("This export is not there").waitFor()
    assert.strictEqual(await page.getByRole("button", { name: "Try again" }).count(), 0)
  })

  it("works without any storage", async () => {
    const { server, open } = await stage({
      init: () => {
        for (const name of ["localStorage", "sessionStorage"]) {
          Object.defineProperty(window, name, {
            get: () => {
              throw new DOMException("no", "SecurityError")
            }
          })
        }
      }
    })
    const row = running()
    server.rows = [row]
    const page = await open()
    await percent(page, row, 30)
    await connection(page, "live")
  })

  it("works with a storage that is full", async () => {
    const { server, socket, open } = await stage({
      init: () => {
        Storage.prototype.setItem = () => {
          throw new DOMException("no", "QuotaExceededError")
        }
      }
    })
    const row = running()
    server.rows = [row]
    const page = await open()
    await percent(page, row, 30)
    await connection(page, "live")
    socket.state(finished(row))
    await status(page, row, "completed")
  })

  it("asks for a token, says when it will not do, and uses it everywhere", async () => {
    const { server, socket, open } = await stage()
    server.token = "right"
    socket.greeting = () => {
      const [first] = socket.heard as ReadonlyArray<{ type: string; token?: string }>
      return socket.heard.some((said) => (said as { token?: string }).token === "right") || first?.token === "right"
        ? { type: "snapshot", exports: [], cursor: "a:1" }
        : { type: "error", code: "unauthorized", detail: "" }
    }
    server.rows = [running()]
    const page = await open()
    await page.getByLabel("Access token").fill("wrong")
    await page.getByRole("button", { name: "Sign in" }).click()
    await page.getByText("This token is not valid").waitFor()
    await page.getByLabel("Access token").fill(" Bearer right ")
    await page.getByRole("button", { name: "Sign in" }).click()
    await page.getByRole("heading", { name: "Video" }).waitFor()
    await connection(page, "live")
    assert.deepInclude(socket.heard, { type: "auth", token: "right" })
    await page.reload()
    await page.getByRole("heading", { name: "Video" }).waitFor()
  })

  it("has the page that embeds it hand out another token when one ran out, and asks nobody", async () => {
    const { server, socket, context, open, caughtUp } = await stage({
      init: () => {
        // Hands out what it has, and only then looks for a fresh one.
        const token = () => {
          const now = sessionStorage.getItem("now") ?? "one"
          sessionStorage.setItem("now", sessionStorage.getItem("fresh") ?? now)
          return now
        }
        Object.assign(window, { reelay: { token } })
      }
    })
    await context.clock.install()
    const renew = (token: string) => page.evaluate((fresh) => sessionStorage.setItem("fresh", fresh), token)
    const row = running()
    server.token = "one"
    server.rows = [row]
    const page = await open()
    await caughtUp(page)
    assert.deepInclude(socket.heard, { type: "auth", token: "one" })

    // Over HTTP: the answer to a click.
    server.token = "two"
    await renew("two")
    await card(page, row).getByRole("button", { name: "Cancel" }).click()
    await soon(() => assert.strictEqual(row.status, "cancelled"))

    // Over the socket, which ends with its token.
    socket.say({ type: "error", code: "token_expired", detail: "Connect again." })
    await socket.wire?.close({ code: 4401, reason: "The token has expired." })
    await soon(() => assert.deepInclude(socket.heard, { type: "auth", token: "two" }))
    await caughtUp(page)

    // None that is fresh for a while: the page says so, and goes on by itself when there is.
    server.token = "three"
    await card(page, row).getByRole("button", { name: "Retry" }).click()
    await page.getByLabel("Access token").waitFor()
    await renew("three")
    await hurry(page)
    await page.waitForFunction(() => sessionStorage.getItem("now") === "three")
    await hurry(page)
    await connection(page, "live")
    await card(page, row).getByRole("button", { name: "Retry" }).waitFor()
    assert.deepInclude(socket.heard, { type: "auth", token: "three" })
  })

  it("shows nothing of one person to the next who signs in", async () => {
    const tokenOf = (sub: string) => `e30.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.sig`
    const { server, open } = await stage()
    server.token = tokenOf("ada")
    server.rows = [running()]
    const page = await open()
    const signIn = async (token: string) => {
      await page.getByLabel("Access token").fill(token)
      await page.getByRole("button", { name: "Sign in" }).click()
    }
    await signIn(tokenOf("ada"))
    await page.getByRole("heading", { name: "Video" }).waitFor()
    await page.getByLabel("Choose videos").setInputFiles(file("secret.mp4"))
    await page.locator('[data-phase="ready"]').waitFor()
    server.token = tokenOf("bob")
    await page.getByRole("button", { name: "Cancel" }).click()
    await signIn("nonsense")
    await page.getByText("This token is not valid").waitFor()
    server.rows = []
    server.videos = []
    await signIn(tokenOf("bob"))
    await page.getByText("No exports yet").waitFor()
    assert.notInclude(await page.locator("main").innerText(), "secret.mp4")
  })

  it("says so at the address of an export that is gone", async () => {
    const { open } = await stage()
    const page = await open(`/exports/${wireRow({ n: 77 }).id}`)
    await page.getByText("This export is not there").waitFor()
    await page.goto(page.url().replace(/[^/]*$/, "nonsense"))
    await page.getByText("Its address is not one of an export.").waitFor()
  })
})

describe("the picture", () => {
  it("never scrolls sideways, however long a name and narrow the window", async () => {
    const { server, open } = await stage({ width: 360 })
    server.videos = [wireVideo(900, `${"long_name_".repeat(20)}.mp4`)]
    const failed = Object.assign(wireRow({ n: 3, epoch: 1, status: "failed" }), {
      error: { type: "x", title: "x", status: 422, detail: "x".repeat(300), code: "input_error" }
    })
    const warned = finished(running(2))
    warned.warnings = missingGlyphsWarning(
      missingTogether(["一丁丂七丄丅丆万丈三上下丌不与丏丐丑丒专且丕世丗丘丙业丛东丝丞丟両丢"])
    )
    server.rows = [running(1), warned, failed, wireRow({ n: 4 })]
    const page = await open()
    await card(page, failed).waitFor()
    await card(page, warned).getByText("More than 32 characters had no font").waitFor()
    for (const path of ["/", `/exports/${failed.id}`]) {
      await page.goto(new URL(path, page.url()).href)
      await page.getByText("Failed").first().waitFor()
      assert.isAtMost(await page.evaluate(() => document.documentElement.scrollWidth), 360, path)
    }
  })

  it("names every control, and reaches each by keyboard", async () => {
    const { server, open, caughtUp } = await stage()
    server.videos = [wireVideo(900, "a.mp4")]
    server.rows = [running(1), finished(running(2))]
    const page = await open()
    await card(page, server.rows[1] as WireRow).waitFor()
    await page.getByText("Uploaded earlier").waitFor()
    await caughtUp(page)
    const names: Array<string> = []
    for (let i = 0; i < 14; i++) {
      await page.keyboard.press("Tab")
      names.push(
        await page.evaluate(() => {
          const at = document.activeElement
          return at?.getAttribute("aria-label") ?? (at instanceof HTMLInputElement ? at.value : at?.textContent) ?? ""
        })
      )
    }
    const told = names.map((name) => name.trim())
    assert.deepStrictEqual(told.slice(0, 12), [
      "Reelay",
      "Choose videos",
      "Uploaded earlier",
      "720p",
      "mp4",
      "medium",
      "Play",
      "a.mp4",
      "Download",
      "Delete",
      "a.mp4",
      "Cancel"
    ])
  })
})
