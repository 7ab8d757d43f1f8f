import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Attempt } from "@reelay/contracts/Export"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { Schema } from "effect"
import { mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeStandIn } from "../services/encoder/test/support/StandIn.ts"
import { Farm, until } from "./Farm.ts"
import { readNumbered, writeNumbered } from "./Sources.ts"

/**
 * A farm that is short of everything: of hardware (three makers' devices, all by a stand-in, die one after the other), and of
 * space for finished work (there is none that may be kept).
 */
const FRAMES = 300
/** Two chunks in software. */
const SECONDS = FRAMES / 30

const decode = {
  attempts: Schema.decodeUnknownSync(Schema.Struct({ items: Schema.Array(Attempt) }))
}

describe("a farm that is short of everything", () => {
  let farm: Farm
  let work: string
  let video: string
  let metricsPort: number
  let hardware: Awaited<ReturnType<typeof makeStandIn>>
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-scarcity-"))
    hardware = await makeStandIn({ nvenc: "crash", qsv: "crash", amf: "crash" }, ["0, NVIDIA T400, 1800"])
    metricsPort = await freePort()
    const source = join(work, "film.mp4")
    ;[farm] = await Promise.all([
      Farm.start({
        PATH: `${hardware.folder}:${process.env["PATH"] ?? ""}`,
        REELAY_FFMPEG: hardware.ffmpeg,
        REELAY_CACHE_BYTES: "0",
        REELAY_CACHE_FREE_BYTES: "0",
        REELAY_CACHE_SECONDS: "0.5",
        REELAY_SCHEDULER_PORT: String(metricsPort)
      }),
      writeNumbered(source, { frames: FRAMES })
    ])
    video = (await farm.upload(source)).id
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await hardware.remove()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const create = (end: number) =>
    farm.create({
      videoId: video,
      segments: [{ start: 0, end }],
      settings: { resolution: "source", mode: "fast" }
    })
  const attemptsOf = async (id: string) =>
    decode.attempts((await farm.call("GET", `/api/exports/${id}/attempts`)).body).items
  const families = async () => (await farm.nodes()).find(({ status }) => status === "active")?.families ?? []
  const filesUnder = async (folder: string) =>
    (await readdir(join(farm.data, "store", folder), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  /** A counter of the scheduler's, all its labels together. */
  const counted = async (name: string) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    const values = [...text.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\S+)`, "gm"))]
    return values.reduce((sum, [, value]) => sum + Number(value), 0)
  }
  const cacheHolds = (what: string, isSo: (links: ReadonlyArray<number>) => boolean) =>
    until(what, async () => {
      const files = (await filesUnder("cache")).filter((path) => !path.endsWith("manifest.json"))
      const links = await Promise.all(files.map(async (path) => (await stat(path)).nlink))
      return isSo(links) ? true : undefined
    })

  it("devices that die in the middle: NVENC, QSV, AMF, then software makes all of it, and the attempts say so", async () => {
    assert.deepStrictEqual(
      (await families()).map(({ device, name, state }) => [name, state, device]),
      [
        ["nvenc", "ok", "NVIDIA T400"],
        ["qsv", "ok", null],
        ["amf", "ok", null],
        ["software", "ok", null]
      ]
    )
    const made = await create(SECONDS)
    const done = await farm.completed(made.id)
    assert.deepStrictEqual([done.encoder, done.epoch, done.outputs.length], ["software", 4, 1])
    const file = await farm.download(made.id, join(work, "made.mp4"))
    assert.deepStrictEqual(
      (await readNumbered(file)).numbers,
      Array.from({ length: FRAMES }, (_, n) => n)
    )
    // One set of outputs, of the epoch that made it.
    const outputs = (await filesUnder("exports")).map((path) => path.split("/").at(-1))
    assert.sameMembers(outputs, ["4-film.source.mp4", "4-poster.jpg"])
    const attempts = (await attemptsOf(made.id)).toSorted((a, b) => a.epoch - b.epoch)
    assert.deepStrictEqual(
      attempts.map(({ epoch, family, kind }) => [epoch, family, kind]),
      [
        [1, "nvenc", "encoder"],
        [2, "qsv", "encoder"],
        [3, "amf", "encoder"]
      ]
    )
  }, 240_000)

  it("drivers that are gone: each is taken out, shown so, and not asked again by the next export", async () => {
    await hardware.become({ nvenc: "missing", qsv: "missing", amf: "missing" })
    const made = await create(2)
    assert.strictEqual((await farm.completed(made.id)).encoder, "software")
    const broken = await until("all hardware to be taken out", async () => {
      const out = (await families()).filter(({ state }) => state === "broken")
      return out.length === 3 ? out : undefined
    })
    assert.deepStrictEqual(
      broken.map(({ name, reason }) => [name, reason]),
      [
        ["nvenc", "Cannot load libcuda.so.1"],
        ["qsv", "Error initializing an internal MFX session: unsupported (-3)"],
        ["amf", "DLL libamfrt64.so.1 failed to open"]
      ]
    )
    const next = await create(3)
    const done = await farm.completed(next.id)
    assert.deepStrictEqual([done.encoder, done.epoch], ["software", 1])
    assert.deepStrictEqual(await attemptsOf(next.id), [])
  }, 240_000)

  it("no room for finished work: exports are whole all the same; what they own stays a look-up, what they do not is made again", async () => {
    const first = await farm.completed((await create(SECONDS)).id)
    await cacheHolds("nothing but what exports own", (links) => links.length > 0 && links.every((count) => count > 1))
    const [sent, evicted] = [
      await counted("reelay_scheduler_dispatches_total"),
      await counted("reelay_cache_evictions_total")
    ]
    assert.isAbove(evicted, 0)
    const again = await farm.completed((await create(SECONDS)).id)
    assert.strictEqual(await counted("reelay_scheduler_dispatches_total"), sent)
    assert.strictEqual(again.outputs[0]?.sha256, first.outputs[0]?.sha256)

    const { items } = Schema.decodeUnknownSync(
      Schema.Struct({ items: Schema.Array(Schema.Struct({ id: Schema.String })) })
    )((await farm.call("GET", "/api/exports")).body)
    for (const { id } of items) assert.strictEqual((await farm.call("DELETE", `/api/exports/${id}`)).status, 204)
    await cacheHolds("nothing", (links) => links.length === 0)
    const anew = await farm.completed((await create(SECONDS)).id)
    assert.isAbove(await counted("reelay_scheduler_dispatches_total"), sent)
    assert.strictEqual(anew.outputs[0]?.sha256, first.outputs[0]?.sha256)
    await until("it to be said", async () => ((await counted("reelay_cache_bytes")) === 0 ? true : undefined))
  }, 240_000)
})
