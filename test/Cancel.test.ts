import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Farm, until } from "./Farm.ts"
import { readNumbered, writeNumbered } from "./Sources.ts"

const RATE = { num: 30, den: 1 }

/** ffmpeg processes that work within a farm's data folder. */
const ffmpegs = async (farm: Farm): Promise<ReadonlyArray<string>> => {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")))
  return lines.filter((line) => /(^|\/)ffmpeg\0/.test(line) && line.includes(farm.data))
}

const filesUnder = async (folder: string): Promise<ReadonlyArray<string>> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describe("cancel", () => {
  let farm: Farm
  let work: string
  let long: string
  let short: string
  let round = 0
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-cancel-"))
    long = join(work, "long.mp4")
    short = join(work, "short.mp4")
    await writeNumbered(long, { frames: 900, rate: RATE })
    // Long enough for as many ranges as there are rounds, each test tried twice.
    await writeNumbered(short, { frames: 90, rate: RATE })
    farm = await Farm.start({ REELAY_TASK_ACK_WAIT: "4", REELAY_RECONCILE_SECONDS: "1", REELAY_MAX_ACTIVE: "1" })
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const start = async (path: string, seconds: number) => {
    round++
    const video = await farm.upload(path)
    return farm.create({
      videoId: video.id,
      segments: [{ start: round / 30, end: round / 30 + seconds }],
      settings: { resolution: path === long ? "720p" : "source", mode: path === long ? "balanced" : "fast" }
    })
  }
  const cancel = (id: string) => farm.call("POST", `/api/exports/${id}/cancel`)
  const nothingLeft = async () => {
    await until("ffmpeg to end", async () => ((await ffmpegs(farm)).length === 0 ? true : undefined), 20)
    await until(
      "temporaries to go",
      async () => {
        const store = (await filesUnder(farm.data)).filter((file) =>
          /\/\.tmp\/.*\.(mp4|mkv|mov|webm|wav|nut)$/.test(file)
        )
        return store.length === 0 ? true : undefined
      },
      20
    )
  }

  it("while it encodes: cancelled at once, no ffmpeg and no partial file stay", async () => {
    const made = await start(long, 24)
    await farm.encoding(made.id)
    const answer = await cancel(made.id)
    assert.strictEqual(answer.status, 202)
    assert.strictEqual((await farm.ended(made.id)).status, "cancelled")
    await nothingLeft()
    assert.strictEqual((await farm.get(made.id)).outputs.length, 0)
    assert.strictEqual((await farm.call("GET", `/api/exports/${made.id}/download`)).status, 409)
  }, 240_000)

  it("while it waits: it never starts, and what waits behind it does", async () => {
    const running = await start(long, 20)
    await farm.encoding(running.id)
    // What runs is not done before it is cancelled.
    const letGo = await farm.hold("encoder")
    const waiting = await start(short, 1)
    assert.strictEqual((await farm.get(waiting.id)).status, "pending")
    await cancel(waiting.id)
    const ended = await farm.ended(waiting.id)
    assert.strictEqual(ended.status, "cancelled")
    assert.strictEqual(ended.epoch, 0)
    await cancel(running.id)
    letGo()
    const next = await start(short, 1)
    await farm.completed(next.id)
    assert.strictEqual((await farm.get(waiting.id)).status, "cancelled")
  }, 240_000)

  it("then retry: it runs, to the frame, in the next epoch", async () => {
    const made = await start(long, 6)
    await farm.encoding(made.id)
    await cancel(made.id)
    const cancelled = await farm.ended(made.id)
    assert.strictEqual(cancelled.status, "cancelled")
    const again = await farm.call("POST", `/api/exports/${made.id}/retry`)
    assert.strictEqual(again.status, 202)
    const done = await farm.completed(made.id)
    assert.strictEqual(done.epoch, cancelled.epoch + 1)
    const { numbers } = await readNumbered(await farm.download(made.id, join(work, "retried.mp4")))
    assert.deepStrictEqual(
      numbers,
      Array.from({ length: 180 }, (_, n) => round + n)
    )
  }, 240_000)

  it("racing the finish: one terminal state, and it stays", async () => {
    for (let i = 0; i < 8; i++) {
      const made = await start(short, 1)
      // Nearer and nearer to the end: some cancels come first, some too late.
      await until("its last stage", async () => {
        const progress = await farm.progress(made.id)
        return progress.status !== "pending"
          && (i % 2 === 0 || progress.percent >= 50 || progress.status !== "processing")
          ? true
          : undefined
      })
      const answer = await cancel(made.id)
      assert.include([202, 409], answer.status)
      const first = await farm.ended(made.id)
      assert.include(["completed", "cancelled"], first.status)
      assert.strictEqual(first.outputs.length > 0, first.status === "completed")
      const download = await farm.call("GET", `/api/exports/${made.id}/download`)
      assert.strictEqual(download.status, first.status === "completed" ? 302 : 409)
      await nothingLeft()
      assert.strictEqual((await farm.get(made.id)).status, first.status)
    }
  }, 180_000)

  it("delete takes the row and its files, and nothing else", async () => {
    const made = await start(short, 1)
    await farm.completed(made.id)
    const owned = (await filesUnder(farm.data)).filter((file) => file.includes(made.id))
    assert.isNotEmpty(owned.filter((file) => file.includes("/exports/")))
    assert.strictEqual((await farm.call("DELETE", `/api/exports/${made.id}`)).status, 204)
    assert.strictEqual((await farm.call("GET", `/api/exports/${made.id}`)).status, 404)
    const left = (await filesUnder(farm.data)).filter((file) => file.includes(made.id))
    assert.deepStrictEqual(left, [])
    assert.isNotNull(made.videoId)
    assert.strictEqual((await farm.call("GET", `/api/videos/${made.videoId}`)).status, 200)
  }, 240_000)
})
