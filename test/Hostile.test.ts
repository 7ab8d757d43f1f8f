import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Answer, Farm } from "./Farm.ts"
import { readNumbered, writeNumbered } from "./Sources.ts"

const isProblem = (answer: Answer, status: number, code: string) => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/)
  const body = answer.body as Record<string, unknown>
  assert.strictEqual(body["code"], code)
  assert.strictEqual(body["type"], `urn:reelay:problem:${code}`)
  assert.strictEqual(body["status"], status)
  return body
}

describe("bad input: a typed problem, nothing half-made, no crash", () => {
  let farm: Farm
  let work: string
  let good: string
  let videoId: string
  let canary: Server
  let heard = 0
  let canaryPort = 0
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-hostile-"))
    good = join(work, "good.mp4")
    await writeNumbered(good, { frames: 90 })
    canary = createServer((_, response) => {
      heard++
      response.end("secret")
    })
    await new Promise<void>((done) => canary.listen(0, "127.0.0.1", done))
    const address = canary.address()
    canaryPort = typeof address === "object" && address !== null ? address.port : 0
    farm = await Farm.start()
    videoId = (await farm.upload(good)).id
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    canary.close()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const upload = async (name: string, bytes: Uint8Array | string) => {
    await writeFile(join(work, name), bytes)
    return farm.uploadRaw(join(work, name))
  }
  const total = async (path: string) => (await farm.call("GET", path)).body as { total?: number; items: Array<unknown> }

  it("files that are no video are refused and leave no row", async () => {
    const before = (await total("/api/videos")).items.length
    isProblem(await upload("text.mp4", "This is a text.\n".repeat(500)), 422, "unsupported_media")
    isProblem(await upload("empty.mp4", ""), 422, "unsupported_media")
    const whole = await readFile(good)
    isProblem(await upload("head.mp4", whole.subarray(0, 2000)), 422, "unsupported_media")
    isProblem(await upload("cut.mp4", whole.subarray(0, Math.floor(whole.length * 0.6))), 422, "unsupported_media")
    const playlist = `#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:${canaryPort}/segment.ts\n#EXT-X-ENDLIST\n`
    isProblem(await upload("playlist.mp4", playlist), 422, "unsupported_media")
    isProblem(await upload("concat.mp4", `ffconcat version 1.0\nfile '${good}'\n`), 422, "unsupported_media")
    assert.strictEqual(heard, 0)
    assert.strictEqual((await total("/api/videos")).items.length, before)
  }, 120_000)

  it("a recording with damage in its middle: what is beside that is rendered, over it the export fails and says where", async () => {
    const path = join(work, "damaged.ts")
    const lively = ["-vf", "noise=alls=25:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30"]
    await writeNumbered(path, { frames: 90, encode: [...lively, "-pix_fmt", "yuv420p"] })
    const bytes = await readFile(path)
    const PACKET = 188
    const middle = PACKET * Math.floor(bytes.length / PACKET / 2)
    for (let at = middle; at < middle + 20 * PACKET; at += PACKET) {
      const isPicture = (bytes.readUInt16BE(at + 1) & 0x1fff) === 0x100
      if (isPicture) for (let i = at + 40; i < at + PACKET; i++) bytes[i] = (i * 7919) % 251
    }
    await writeFile(path, bytes)
    const video = await farm.upload(path)
    const settings = { resolution: "source", mode: "fast" }
    const [whole, before] = await Promise.all([
      farm.create({ videoId: video.id, settings }),
      farm.create({ videoId: video.id, settings, segments: [{ start: 0, end: 1 }] })
    ])
    const { error, status } = await farm.ended(whole.id)
    assert.deepStrictEqual([status, error?.code], ["failed", "input_error"])
    assert.match(error?.detail ?? "", /is damaged at 1\.\d s/)
    await farm.completed(before.id)
    const { numbers } = await readNumbered(await farm.download(before.id, join(work, "before.mp4")))
    assert.deepStrictEqual(numbers, [...Array(30).keys()])

    // And as a copy that was cut off: as long as what is there.
    await writeFile(path, bytes.subarray(0, middle))
    const cut = await farm.upload(path)
    assert.isBelow(cut.frames, 60)
    const request = { videoId: cut.id, settings, segments: [{ start: 0, end: 2.5 }] }
    const { detail } = isProblem(await farm.call("POST", "/api/exports", request), 400, "invalid_segment")
    assert.include(String(detail), `ends after the video does (${cut.duration} s)`)
  }, 120_000)

  const refused: ReadonlyArray<readonly [string, unknown, number, string]> = [
    ["a segment of no length", { segments: [{ start: 1, end: 1 }] }, 400, "invalid_segment"],
    ["end before start", { segments: [{ start: 2, end: 1 }] }, 400, "invalid_segment"],
    ["past the end", { segments: [{ start: 1, end: 1000 }] }, 400, "invalid_segment"],
    ["before the beginning", { segments: [{ start: -1, end: 1 }] }, 400, "invalid_segment"],
    ["shorter than a frame", { segments: [{ start: 1, end: 1.0001 }] }, 400, "invalid_segment"],
    ["a segment that is text", { segments: [{ start: "1", end: 2 }] }, 400, "validation"],
    ["an unknown field", { resolution: "720p" }, 400, "validation"],
    ["an unknown field within settings", { settings: { bitrate: 9 } }, 400, "validation"],
    ["an unknown format", { settings: { format: "exe" } }, 400, "validation"],
    ["a codec that the format cannot hold", { settings: { format: "webm", codec: "h264" } }, 400, "validation"],
    [
      "single with two segments",
      {
        delivery: "single",
        segments: [
          { start: 0, end: 1 },
          { start: 1, end: 2 }
        ]
      },
      400,
      "validation"
    ],
    ["a type that is none", { type: "subtitles" }, 400, "validation"],
    ["a loudness that is none of the usual", { settings: { loudness: -15 } }, 400, "validation"],
    [
      "a thousand and one segments",
      { segments: Array.from({ length: 1001 }, () => ({ start: 0, end: 1 })) },
      400,
      "validation"
    ],
    ["a project and a video", { projectId: "0198c9a0-0000-7000-8000-000000000001" }, 400, "validation"]
  ]
  it.each(refused)("%s", async (_, part, status, code) => {
    const body = isProblem(await farm.call("POST", "/api/exports", { videoId, ...(part as object) }), status, code)
    assert.isString(body["title"])
  })

  it("names the unknown field", async () => {
    const body = isProblem(await farm.call("POST", "/api/exports", { videoId, colour: "red" }), 400, "validation")
    assert.include(JSON.stringify(body["errors"]), "colour")
  })

  it("what is not JSON, or not numbers", async () => {
    isProblem(await farm.call("POST", "/api/exports", "{not json"), 400, "validation")
    isProblem(
      await farm.call("POST", "/api/exports", `{"videoId":"${videoId}","segments":[{"start":NaN,"end":1}]}`),
      400,
      "validation"
    )
    isProblem(await farm.call("POST", "/api/exports", "null"), 400, "validation")
    isProblem(await farm.call("POST", "/api/exports", "[]"), 400, "validation")
    isProblem(await farm.call("POST", "/api/exports", {}), 400, "validation")
  })

  it("10 MB of JSON", async () => {
    isProblem(
      await farm.call("POST", "/api/exports", `{"videoId":"${videoId}","x":"${"a".repeat(10_000_000)}"}`),
      413,
      "too_large"
    )
  })

  it("ids of nobody, ids that are none, routes that are none", async () => {
    const nobody = "0198c9a0-0000-7000-8000-000000000001"
    isProblem(await farm.call("GET", `/api/exports/${nobody}`), 404, "not_found")
    isProblem(await farm.call("POST", "/api/exports", { videoId: nobody }), 409, "video_not_found")
    isProblem(await farm.call("POST", "/api/exports", { projectId: nobody }), 404, "not_found")
    isProblem(await farm.call("GET", "/api/nothing"), 404, "not_found")
    const odd = await farm.call("GET", "/api/exports/..%2f..%2fetc%2fpasswd")
    assert.include([400, 404], odd.status)
  })

  it("a project without clips", async () => {
    const project = (await farm.call("POST", "/api/projects", { name: "empty" })).body as { id: string }
    isProblem(await farm.call("POST", "/api/exports", { projectId: project.id }), 400, "no_clips")
  })

  it("an Idempotency-Key used for something else", async () => {
    const request = { videoId, segments: [{ start: 0, end: 0.5 }], settings: { resolution: "source", mode: "fast" } }
    const first = await farm.create(request, { "idempotency-key": "k" })
    const again = await farm.create(request, { "idempotency-key": "k" })
    assert.strictEqual(first.id, again.id)
    isProblem(
      await farm.call("POST", "/api/exports", { ...request, priority: "high" }, { "idempotency-key": "k" }),
      422,
      "idempotency_mismatch"
    )
  })

  it("a page of another origin is not heard", async () => {
    const answer = await farm.call("POST", "/api/exports", { videoId }, { origin: "https://evil.example" })
    assert.strictEqual(answer.status, 403)
  })

  it("after all of this it still works", async () => {
    assert.strictEqual((await farm.call("GET", "/health/ready")).status, 200)
    await farm.completed((await farm.create({ videoId, settings: { resolution: "source", mode: "fast" } })).id)
  }, 120_000)
})
