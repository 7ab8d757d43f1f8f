import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Image } from "@reelay/contracts/Media"
import { execa } from "execa"
import { Result, Schema } from "effect"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { basename } from "node:path"
import { readImage } from "../src/ingest/ImageFile.ts"
import { fieldsOf, isProblem, itemsOf, record } from "./Answers.ts"
import { bearer, JWT, startApi } from "./ApiUnderTest.ts"
import type { Answer, ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

/** An EXIF block that says how the picture has to be turned. */
const exif = (orientation: number): Uint8Array =>
  Uint8Array.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0])

/** A JPEG with EXIF, as phones write it: behind its first marker. */
const turned = (jpeg: Uint8Array, orientation: number): Uint8Array => {
  const body = [...Buffer.from("Exif\0\0", "latin1"), ...exif(orientation)]
  return Uint8Array.from([0xff, 0xd8, 0xff, 0xe1, 0, body.length + 2, ...body, ...jpeg.subarray(2)])
}

describe("images", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let alice: Record<string, string>
  let bob: Record<string, string>
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi({ env: JWT }), TinyClips.make()])
    ;[alice, bob] = await Promise.all([bearer("alice"), bearer("bob")])
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  const still = (name: string, ...how: ReadonlyArray<string>) =>
    clips.ffmpeg(name, "-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", ...how)
  const post = async (bytes: Uint8Array | string, name: string, headers = alice): Promise<Answer> => {
    const response = await fetch(`${api.url}/api/images?name=${name}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", ...headers },
      body: typeof bytes === "string" ? bytes : new Uint8Array(bytes)
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }
  const added = async (path: string, headers = alice): Promise<Image> => {
    const answer = await post(await readFile(path), basename(path), headers)
    assert.strictEqual(answer.status, 201, JSON.stringify(answer.body))
    return Schema.decodeUnknownSync(Image)(answer.body)
  }
  /** Red, green, blue and alpha of what is kept, pixel by pixel. */
  const kept = async (image: Image) => {
    const response = await fetch(api.url + image.contentUrl)
    assert.strictEqual(response.headers.get("content-type"), "image/png")
    const input = Buffer.from(await response.arrayBuffer())
    assert.strictEqual(input.length, image.bytes)
    const args = ["-v", "error", "-f", "png_pipe", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "rgba", "pipe:1"]
    const { stdout } = await execa("ffmpeg", args, { input, encoding: "buffer", stripFinalNewline: false })
    return (x: number, y: number) => [...stdout.subarray(4 * (y * image.width + x), 4 * (y * image.width + x) + 4)]
  }
  const objects = async (): Promise<ReadonlyArray<string>> =>
    (await readdir(api.infra.store, { recursive: true })).filter(
      (name) => name.includes("images/") && !name.endsWith("-")
    )

  it("a PNG, a JPEG, a WebP: each is kept as a PNG, whatever it is called", async () => {
    const half = ["-vf", "format=rgba,colorchannelmixer=aa=0.5"]
    for (const [path, alpha] of [
      [await still("plain.png"), 255],
      [await still("half.png", ...half), 128],
      [await still("photo.jpg"), 255],
      [await still("half.webp", ...half, "-c:v", "libwebp", "-lossless", "1"), 128]
    ] as const) {
      const image = await added(path)
      assert.deepInclude({ ...image }, { name: basename(path), width: 64, height: 48 })
      const pixel = await kept(image)
      assert.closeTo(pixel(5, 5)[3] ?? 0, alpha, 1)
    }
    const misnamed = await post(await readFile(await still("other.png")), "photo.jpg")
    assert.strictEqual(misnamed.status, 201)
    assert.strictEqual(misnamed.headers.get("location"), `/api/images/${String(record(misnamed.body)["id"])}`)
    assert.isFalse((await objects()).some((name) => name.endsWith("given")))
  })

  it("is turned upright by its EXIF", async () => {
    // Red above, blue below.
    const halves = ["red", "blue"].flatMap((color) => ["-f", "lavfi", "-i", `color=${color}:s=64x16`])
    const path = await clips.ffmpeg("turned.jpg", ...halves, "-filter_complex", "vstack", "-frames:v", "1", "-q:v", "1")
    const jpeg = await readFile(path)
    const isRed = ([red = 0, , blue = 0]: ReadonlyArray<number>) => red > 200 && blue < 60
    for (const [orientation, width, [x, y]] of [
      [1, 64, [32, 2]],
      [3, 64, [32, 29]],
      [6, 32, [29, 32]],
      [5, 32, [2, 32]]
    ] as const) {
      await writeFile(clips.path("exif.jpg"), turned(jpeg, orientation))
      const image = await added(clips.path("exif.jpg"))
      assert.strictEqual(image.width, width, `orientation ${orientation}`)
      const pixel = await kept(image)
      assert.isTrue(isRed(pixel(x, y)), `orientation ${orientation}: ${pixel(x, y).join()}`)
    }
  })

  it("is kept with at most 4096 pixels a side", async () => {
    const path = await clips.ffmpeg("wide.png", "-f", "lavfi", "-i", "color=red:s=6000x30", "-frames:v", "1")
    const image = await added(path)
    assert.deepStrictEqual([image.width, image.height], [4096, 20])
  })

  describe("is refused with a problem:", () => {
    it("what is none, whatever it is called", async () => {
      let calls = 0
      const canary = createServer((socket) => {
        calls++
        socket.destroy()
      })
      await new Promise<void>((done) => canary.listen(0, "127.0.0.1", done))
      const address = canary.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const before = await objects()
      for (const text of [
        "",
        "some text",
        `#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:${port}/s.ts\n#EXT-X-ENDLIST\n`,
        `<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:${port}/a.png"/></svg>`,
        "GIF89a\x01\x00\x01\x00",
        "\x89PNG\r\n\x1a\n",
        "RIFF\x04\x00\x00\x00WEBP"
      ]) {
        isProblem(await post(Buffer.from(text, "latin1"), "logo.png"), 422, "unsupported_media")
      }
      isProblem(await post(await readFile(await clips.plain("film.mp4")), "logo.png"), 422, "unsupported_media")
      canary.close()
      assert.strictEqual(calls, 0)
      assert.deepStrictEqual(await objects(), before)
    })

    it("one that moves", async () => {
      const moving = (name: string, ...how: ReadonlyArray<string>) =>
        clips.ffmpeg(name, "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", ...how)
      for (const path of [
        await moving("moves.png", "-f", "apng"),
        await moving("moves.webp", "-c:v", "libwebp_anim")
      ]) {
        const body = isProblem(await post(await readFile(path), "logo.png"), 422, "unsupported_media")
        assert.match(String(body["detail"]), /moves/)
      }
    })

    it("one that is cut off, or damaged", async () => {
      for (const path of [await still("cut.png"), await still("cut.jpg"), await still("cut.webp", "-c:v", "libwebp")]) {
        const bytes = await readFile(path)
        for (const part of [0.3, 0.9]) {
          isProblem(await post(bytes.subarray(0, bytes.length * part), "logo.png"), 422, "unsupported_media")
        }
      }
      const bytes = await readFile(await still("broken.png"))
      bytes.fill(0x55, 120, 200)
      isProblem(await post(bytes, "logo.png"), 422, "unsupported_media")
    })

    it("one of 16000 × 16000 pixels, before anything of it is decoded", async () => {
      const bytes = await readFile(await still("huge.png"))
      bytes.writeUInt32BE(16_000, 16)
      bytes.writeUInt32BE(16_000, 20)
      const body = isProblem(await post(bytes, "logo.png"), 422, "unsupported_media")
      assert.match(String(body["detail"]), /16000 × 16000/)
    })
  })

  it("are their owner's alone", async () => {
    const image = await added(await still("mine.png"))
    isProblem(await api.call("GET", `/api/images/${image.id}`, undefined, bob), 404, "not_found")
    isProblem(await api.call("GET", `/api/images/${image.id}/content`, undefined, bob), 404, "not_found")
    isProblem(await api.call("DELETE", `/api/images/${image.id}`, undefined, bob), 404, "not_found")
    isProblem(await api.call("GET", `/api/images/${image.id}`), 401, "unauthorized")
    assert.lengthOf(itemsOf(await api.call("GET", "/api/images", undefined, bob)), 0)
    assert.strictEqual(itemsOf(await api.call("GET", "/api/images?limit=1", undefined, alice))[0]?.["id"], image.id)
    const found = await api.call("GET", `/api/images/${image.id}`, undefined, alice)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Image)(found.body), image)
  })

  it("are shown by overlays: frozen into the export, held as long as it needs them, nobody else's", async () => {
    const video = await api.upload(await clips.plain("under.mp4", { silent: true }), alice)
    const image = await added(await still("logo.png"))
    const others = await added(await still("secret.png"), bob)
    const project = await api.project({ name: "p" }, alice)
    const overlay = { type: "image", imageId: image.id, start: 0, end: 1, x: 0.1, y: 0.1, width: 0.2 }
    const clip = await api.call(
      "POST",
      `/api/projects/${project.id}/clips`,
      { videoId: video.id, overlays: [overlay, { ...overlay, imageId: others.id }] },
      alice
    )
    assert.strictEqual(clip.status, 201)
    const request = { projectId: project.id, type: "overlay" }
    const refused = isProblem(await api.call("POST", "/api/exports", request, alice), 400, "validation")
    assert.deepStrictEqual(fieldsOf(refused), ["clips[0].overlays[1].imageId"])

    const path = `/api/projects/${project.id}/clips/${String(record(clip.body)["id"])}`
    await api.call("PUT", path, { overlays: [overlay] }, alice)
    const exported = await api.start(request, alice)
    const row = await api.run(
      api.database.query("test", (db) => db.query.exports_.findFirst({ where: (t, { eq }) => eq(t.id, exported.id) }))
    )
    assert.deepStrictEqual(
      row?.spec.images?.map(({ height, imageId, width }) => ({ height, imageId, width })),
      [{ height: 48, imageId: image.id, width: 64 }]
    )
    const remove = () => api.call("DELETE", `/api/images/${image.id}`, undefined, alice)
    assert.match(String(isProblem(await remove(), 409, "conflict")["detail"]), /clip/)
    await api.call("PUT", path, { overlays: [] }, alice)
    assert.match(String(isProblem(await remove(), 409, "conflict")["detail"]), /export/)
    await api.call("POST", `/api/exports/${exported.id}/cancel`, {}, alice)
    assert.strictEqual((await remove()).status, 204)
    assert.isFalse((await objects()).some((name) => name.includes(image.id)))
    const retry = await api.call("POST", `/api/exports/${exported.id}/retry`, undefined, alice)
    assert.match(String(isProblem(retry, 409, "video_not_found")["detail"]), /image/)
  })

  it("say what they are: nothing of them is decoded for that, and no bytes make it fail otherwise", async () => {
    const jpeg = await readFile(await still("say.jpg"))
    const png = await readFile(await still("say.png"))
    assert.deepStrictEqual(readImage(jpeg), Result.succeed({ kind: "jpeg", width: 64, height: 48, orientation: 1 }))
    assert.deepStrictEqual(
      readImage(turned(jpeg, 6)),
      Result.succeed({ kind: "jpeg", width: 64, height: 48, orientation: 6 })
    )
    for (const bytes of [png, turned(jpeg, 6), await readFile(await still("say.webp", "-c:v", "libwebp"))]) {
      for (let at = 0; at < Math.min(bytes.length, 200); at++) {
        const other = Uint8Array.from(bytes)
        other[at] = 0xff
        readImage(other)
        readImage(bytes.subarray(0, at))
      }
    }
  })
})
