import { assert, it } from "@effect/vitest"
import type { Page } from "playwright-core"
import { wireVideo } from "./ScriptedServer.ts"
import { setStage } from "./Stage.ts"

const stage = setStage()

const remove = (page: Page, name: string) => page.getByRole("button", { name: `Delete ${name}` })
const confirmed = (page: Page) => page.getByRole("dialog").getByRole("button", { name: "Delete" })
const has = (page: Page, name: string) => page.getByRole("button", { name: `Use ${name}` })
/** What the keyboard is on, as a screen reader names it. */
const focus = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent)

it("an earlier upload goes only when that is confirmed, at once, and comes back with the reason", async () => {
  const { server, open } = await stage()
  const [first, second] = [wireVideo(902, "first.mp4"), wireVideo(901, "second.mp4")]
  server.videos = [first, second]
  const why = "An export that is not over needs this video."
  let letGo = () => {}
  const after = new Promise<void>((resolve) => (letGo = resolve))
  const path = `DELETE /api/videos/${first.id}`
  server.refusals.set(path, { status: 409, body: { code: "conflict", status: 409, detail: why }, after })

  const page = await open()
  await page.getByText("Uploaded earlier").press("Enter")
  await remove(page, "first.mp4").press("Enter")
  await page.getByRole("dialog").getByText("“first.mp4” is deleted for good.").waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "hidden" })
  assert.strictEqual(await focus(page), "Delete first.mp4")
  assert.notInclude(server.requests, path)

  await remove(page, "first.mp4").press("Enter")
  await confirmed(page).press("Enter")
  await has(page, "first.mp4").waitFor({ state: "detached" })
  assert.strictEqual(await focus(page), "Delete second.mp4")
  letGo()
  await page
    .getByRole("listitem")
    .filter({ has: has(page, "first.mp4") })
    .getByRole("alert")
    .getByText(why)
    .waitFor()
  assert.strictEqual(await focus(page), "Delete second.mp4", "the keyboard is left where it is")

  // One that lay below the list moves up.
  const third = wireVideo(900, "third.mp4")
  server.videos.push(third)
  server.refusals.clear()
  await remove(page, "first.mp4").press("Enter")
  await confirmed(page).press("Enter")
  await page.getByRole("status").getByText("first.mp4: deleted").waitFor({ state: "attached" })
  await has(page, "third.mp4").waitFor()
  assert.strictEqual(await focus(page), "Delete second.mp4", "the list was read again under it")
  assert.strictEqual(await page.getByRole("alert").count(), 0)
  assert.deepStrictEqual(server.videos, [second, third])
})

it("the last one that cannot be deleted is back where it was, and one that is gone already is gone", async () => {
  const { server, open } = await stage({ width: 360 })
  const name = `${"long_name_".repeat(20)}.mp4`
  const last = wireVideo(901, name)
  server.videos = [last]
  let letGo = () => {}
  const after = new Promise<void>((resolve) => (letGo = resolve))
  const path = `DELETE /api/videos/${last.id}`
  server.refusals.set(path, { status: 503, body: { code: "unavailable", status: 503 }, after })
  const page = await open()
  await page.getByText("Uploaded earlier").click()
  await remove(page, name).click()
  await confirmed(page).click()
  await has(page, name).waitFor({ state: "detached" })
  letGo()
  await page.getByRole("alert").getByText("cannot take this right now").waitFor()
  assert.isTrue(await has(page, name).isVisible())
  assert.isAtMost(await page.evaluate(() => document.documentElement.scrollWidth), 360)

  // Somebody else has deleted it meanwhile, and uploaded another.
  server.refusals.set(path, { status: 404, body: { code: "not_found", status: 404 } })
  server.videos = [wireVideo(900, "other.mp4"), last]
  await remove(page, name).click()
  await confirmed(page).click()
  await page.getByRole("status").getByText(`${name}: deleted`).waitFor({ state: "attached" })
  await page.getByText("Uploaded earlier").click()
  await has(page, "other.mp4").waitFor()
  assert.strictEqual(await has(page, name).count(), 0)
})
