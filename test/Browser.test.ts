import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { launchBrowser } from "../web/test/Chromium.ts"
import { Farm, until } from "./Farm.ts"
import { readNumbered, writeNumbered } from "./Sources.ts"

const RATE = { num: 30, den: 1 }

describe("the page, in a browser, before the whole farm", () => {
  let farm: Farm
  let browser: Browser
  let work: string
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-browser-"))
    ;[farm, browser] = await Promise.all([
      Farm.start(),
      launchBrowser(),
      writeNumbered(join(work, "long walk.mp4"), { frames: 600, rate: RATE }),
      writeNumbered(join(work, "evening.mp4"), { frames: 360, rate: RATE })
    ])
  }, 240_000)
  afterAll(async () => {
    await browser.close()
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const open = async (context: BrowserContext): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(farm.url)
    await page.locator("[data-connection=live]").waitFor()
    return page
  }

  /** Chooses a file, asks for an export of it at its own size, and answers with the export's id. */
  const start = async (page: Page, file: string): Promise<string> => {
    const before = new Set(await ids(page))
    await page.getByLabel("Choose videos").setInputFiles(join(work, file))
    await page.locator("[data-phase=ready]").waitFor()
    await page.getByRole("button", { name: "Export", exact: true }).click()
    return until("its card", async () => (await ids(page)).find((id) => !before.has(id)))
  }
  const ids = (page: Page) =>
    page
      .locator("article[data-export-id]")
      .evaluateAll((cards) => cards.map((card) => card.getAttribute("data-export-id") ?? ""))
  const card = (page: Page, id: string) => page.locator(`article[data-export-id="${id}"]`)
  const percent = async (page: Page, id: string): Promise<number | undefined> => {
    const value = await card(page, id)
      .getByRole("progressbar")
      .getAttribute("aria-valuenow", { timeout: 500 })
      .catch(() => null)
    return value === null ? undefined : Number(value)
  }

  it("closed after the request, opened again: the export is finished and the page says so", async () => {
    const context = await browser.newContext()
    const page = await open(context)
    const id = await start(page, "evening.mp4")
    await page.close()
    await farm.completed(id)
    const again = await open(context)
    await again.getByText("1 export finished while you were away").waitFor()
    await card(again, id).and(again.locator("[data-status=completed]")).waitFor()
    const [download] = await Promise.all([
      again.waitForEvent("download"),
      card(again, id)
        .getByRole("button", { name: "Download" })
        .or(card(again, id).getByRole("link", { name: "Download" }))
        .click()
    ])
    const { numbers } = await readNumbered(await download.path())
    assert.deepStrictEqual(
      numbers,
      Array.from({ length: 360 }, (_, n) => n)
    )
    await card(again, id).getByRole("button", { name: "Play", exact: true }).click()
    const video = again.locator("video")
    await until("the player to show the picture", async () => {
      const [ready, width] = await video.evaluate((player) => [
        Number(Reflect.get(player, "readyState")),
        Number(Reflect.get(player, "videoWidth"))
      ])
      return ready !== undefined && ready >= 2 && width !== undefined && width > 0 ? true : undefined
    })
    await context.close()
  }, 240_000)

  it("reloaded in the middle: progress goes on from where it is, never backwards", async () => {
    const context = await browser.newContext()
    const page = await open(context)
    const id = await start(page, "long walk.mp4")
    const before = await until("some progress", async () => {
      const value = await percent(page, id)
      return value !== undefined && value > 15 ? value : undefined
    })
    // It is not over before the page is there again.
    const letGo = await farm.hold("encoder")
    await page.reload()
    const seen = [before, await until("progress after the reload", () => percent(page, id))]
    letGo()
    await until(
      "the end",
      async () => {
        const value = await percent(page, id)
        if (value !== undefined) seen.push(value)
        return (await card(page, id).getAttribute("data-status")) === "completed" ? true : undefined
      },
      120
    )
    assert.deepStrictEqual(
      seen,
      seen.toSorted((a, b) => a - b)
    )
    await context.close()
  }, 180_000)

  it("cancelled and tried again from the page", async () => {
    const context = await browser.newContext()
    const page = await open(context)
    // A look-up of the earlier test's chunks would be over at once: ask for another size.
    const video = await farm.upload(join(work, "long walk.mp4"))
    const letGo = await farm.hold("encoder")
    const made = await farm.create({ videoId: video.id, settings: { resolution: "1080p", quality: "high" } })
    await card(page, made.id).getByRole("button", { name: "Cancel" }).click()
    await card(page, made.id).and(page.locator("[data-status=cancelled]")).waitFor()
    letGo()
    await card(page, made.id).getByRole("button", { name: "Retry" }).click()
    await until("it to run again", async () => {
      const { status } = await farm.get(made.id)
      return status === "pending" || status === "processing" ? true : undefined
    })
    await farm.call("POST", `/api/exports/${made.id}/cancel`)
    await context.close()
  }, 240_000)
})
