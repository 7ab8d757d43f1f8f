import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { FrameIndex } from "@reelay/contracts/Media"
import { Plan } from "@reelay/contracts/Plan"
import { Schema } from "effect"
import { execa } from "execa"
import { glob, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readNumber } from "../libs/render/test/Numbered.ts"
import { launchBrowser } from "../web/test/Chromium.ts"
import { Farm } from "./Farm.ts"
import { readBeeps, readNumbered, writeNumbered } from "./Sources.ts"

const IndexFile = Schema.fromJsonString(FrameIndex)
const FRAMES = 120
/** Key frames every 30 frames, B-frames between them. */
const CAMERA =
  "-c:v libx264 -preset fast -crf 16 -g 30 -keyint_min 30 -sc_threshold 0 -bf 2 -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:a aac -ac 2"
const SEGMENT = { start: 0.5, end: 3.8 }
const SHOWN = Array.from({ length: 99 }, (_, n) => 15 + n)

/** What the page of Player.html saw. */
const Seen = Schema.Struct({
  how: Schema.String,
  frames: Schema.Array(Schema.Struct({ time: Schema.Finite, picture: Schema.Array(Schema.Int) })),
  decoded: Schema.Int,
  corrupted: Schema.Int
})
type Seen = typeof Seen.Type

describe("smart cut, through the whole farm", () => {
  let farm: Farm
  let work: string
  let source: string
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-smartcut-"))
    source = join(work, "camera.mp4")
    ;[farm] = await Promise.all([Farm.start(), writeNumbered(source, { frames: FRAMES, encode: CAMERA.split(" ") })])
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const request = (videoId: string) => ({
    videoId,
    segments: [SEGMENT],
    settings: { resolution: "source", quality: "high", mode: "fast" }
  })
  const planOf = async (id: string): Promise<Plan> =>
    Schema.decodeUnknownSync(Plan)((await farm.call("GET", `/api/exports/${id}/plan`)).body)
  const digests = async (file: string) => {
    const { stdout } = await execa("ffmpeg", ["-v", "error", "-i", file, "-map", "0:v", "-f", "framemd5", "-"])
    return stdout.split("\n").flatMap((line) => (line.startsWith("#") ? [] : [line.split(",").at(-1)?.trim()]))
  }

  it("most frames are the source's own, every one is right, and a browser plays through the seams", async () => {
    const video = await farm.upload(source)
    const made = await farm.create(request(video.id))
    const done = await farm.completed(made.id)
    const { reasons } = await planOf(made.id)
    assert.match(reasons.join("\n"), /^picture: smart cut, \d+ frames copied as they are/)
    assert.strictEqual(done.outputs[0]?.frames, SHOWN.length)

    const file = await farm.download(made.id, join(work, "cut.mp4"))
    const { flashes, numbers } = await readNumbered(file)
    assert.deepStrictEqual(numbers, SHOWN)
    const beeps = await readBeeps(file)
    for (const flash of flashes) {
      assert.isBelow(Math.min(...beeps.map((beep) => Math.abs(beep - flash / 30))), 1 / 30, `flash at ${flash}`)
    }
    const [ours, theirs] = [await digests(file), await digests(source)]
    assert.isAtLeast(ours.filter((digest, n) => digest === theirs[15 + n]).length, 75)

    const seen = await played(file)
    assert.strictEqual(seen.how, "ended")
    assert.strictEqual(seen.decoded, SHOWN.length)
    assert.strictEqual(seen.corrupted, 0)
    // A busy machine drops a frame now and then, but shows none that does not belong there.
    assert.isAtLeast(seen.frames.length, SHOWN.length * 0.9)
    for (const { picture, time } of seen.frames) {
      assert.strictEqual(readNumber(Uint8Array.from(picture), 12, 12), 15 + Math.round(time * 30))
    }
  }, 240_000)

  it("an index that lies costs an epoch, and the file is right all the same", async () => {
    const video = await farm.upload(source, "another.mp4")
    await lie(video.id)
    const made = await farm.create(request(video.id))
    const done = await farm.completed(made.id)
    assert.strictEqual(done.epoch, 2)
    const { items } = (await farm.call("GET", `/api/exports/${made.id}/attempts`)).body as {
      items: ReadonlyArray<{ epoch: number; kind: string }>
    }
    assert.deepStrictEqual(
      items.map(({ epoch, kind }) => [epoch, kind]),
      [[1, "smartcut"]]
    )
    const { reasons } = await planOf(made.id)
    assert.include(reasons, "no smart cut: an earlier try did not give the right pictures")
    const { numbers } = await readNumbered(await farm.download(made.id, join(work, "another.mp4")))
    assert.deepStrictEqual(numbers, SHOWN)
  }, 240_000)

  /** Has the index of a video say that every frame is shown two frames later than it is. */
  const lie = async (videoId: string): Promise<void> => {
    for await (const name of glob(`**/${videoId}/index.json`, { cwd: farm.data })) {
      const path = join(farm.data, name)
      const index = Schema.decodeUnknownSync(IndexFile)(await readFile(path, "utf8"))
      const twoFrames = (2 * index.timeBase.den) / (30 * index.timeBase.num)
      await rm(path)
      await writeFile(path, Schema.encodeSync(IndexFile)({ ...index, pts: index.pts.map((at) => at + twoFrames) }))
    }
  }

  /** From a server of the film's own, as its pictures are read. */
  const played = async (file: string): Promise<Seen> => {
    const answers = new Map([
      ["/film.mp4", { type: "video/mp4", body: await readFile(file) }],
      ["/", { type: "text/html", body: await readFile(join(import.meta.dirname, "Player.html")) }]
    ])
    const server = createServer(({ url }, response) => {
      const { body, type } = answers.get(url ?? "") ?? { type: "text/plain", body: "" }
      response.writeHead(200, { "content-type": type }).end(body)
    })
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    const address = server.address()
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`)
      return Schema.decodeUnknownSync(Seen)(await page.evaluate("seen"))
    } finally {
      await browser.close()
      server.close()
    }
  }
})
