import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { sql } from "drizzle-orm"
import { mkdir, readFile, readdir, rename, stat, symlink, utimes, writeFile } from "node:fs/promises"
import { request } from "node:http"
import { join } from "node:path"
import { fieldsOf, isProblem, itemsOf, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

const LIMIT = 1_000_000

describe("videos", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let file: string
  let roots: string
  beforeAll(async () => {
    clips = await TinyClips.make()
    roots = clips.path("shared")
    await mkdir(roots)
    api = await startApi({
      env: { REELAY_MAX_UPLOAD_BYTES: String(LIMIT), REELAY_MEDIA_ROOTS: `${roots},${clips.path("none")}` }
    })
    file = await clips.plain("My holiday (1).mp4")
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  const objects = async (): Promise<ReadonlyArray<string>> =>
    (await readdir(api.infra.store, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()

  it("an upload: 201, where it is, what it is", async () => {
    const answer = await api.uploadRaw(file)
    assert.strictEqual(answer.status, 201)
    const body = record(answer.body)
    assert.strictEqual(answer.headers.get("location"), `/api/videos/${String(body["id"])}`)
    assert.deepInclude(body, {
      name: "My holiday (1).mp4",
      status: "ready",
      bytes: (await stat(file)).size,
      duration: 2,
      frames: 50,
      width: 320,
      height: 180,
      frameRate: 25,
      variableFrameRate: false,
      videoCodec: "h264",
      audioCodec: "aac",
      hasAudio: true
    })
    const got = await api.call("GET", `/api/videos/${String(body["id"])}`)
    assert.deepStrictEqual(got.body, answer.body)
    assert.deepStrictEqual(
      (await objects()).filter((path) => path.includes(String(body["id"]))).map((path) => path.split("/").at(-1)),
      ["index.json", "media", "poster.jpg"]
    )
    const stored = await api.run(api.database.query("test", (db) => db.query.videos.findMany()))
    const { createHash } = await import("node:crypto")
    assert.strictEqual(
      stored[0]?.sha256,
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex")
    )
  })

  it("a name is not needed", async () => {
    const response = await fetch(`${api.url}/api/videos`, { method: "POST", body: await readFile(file) })
    assert.strictEqual(response.status, 201)
    assert.strictEqual(record(await response.json())["name"], "video")
  })

  describe("content", () => {
    let url: string
    let bytes: Buffer
    beforeAll(async () => {
      url = api.url + (await api.upload(file)).contentUrl
      bytes = await readFile(file)
    })
    it("whole and in parts", async () => {
      const whole = await fetch(url)
      assert.strictEqual(whole.status, 200)
      assert.strictEqual(whole.headers.get("accept-ranges"), "bytes")
      assert.strictEqual(whole.headers.get("content-type"), "video/mp4")
      assert.strictEqual(whole.headers.get("x-content-type-options"), "nosniff")
      assert.match(whole.headers.get("content-disposition") ?? "", /^inline; filename="My holiday \(1\).mp4"/)
      assert.deepStrictEqual(Buffer.from(await whole.arrayBuffer()), bytes)
      const etag = whole.headers.get("etag") ?? ""
      const part = await fetch(url, { headers: { range: "bytes=100-199" } })
      assert.strictEqual(part.status, 206)
      assert.strictEqual(part.headers.get("content-range"), `bytes 100-199/${bytes.length}`)
      assert.strictEqual(part.headers.get("content-length"), "100")
      assert.deepStrictEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(100, 200))
      const last = await fetch(url, { headers: { range: "bytes=-10", "if-range": etag } })
      assert.deepStrictEqual(Buffer.from(await last.arrayBuffer()), bytes.subarray(-10))
      assert.strictEqual((await fetch(url, { headers: { range: "bytes=0-9", "if-range": `"other"` } })).status, 200)
      assert.strictEqual((await fetch(url, { headers: { "if-none-match": etag } })).status, 304)
      const past = await fetch(url, { headers: { range: `bytes=${bytes.length}-` } })
      assert.strictEqual(past.status, 416)
      assert.strictEqual(past.headers.get("content-range"), `bytes */${bytes.length}`)
      assert.match(past.headers.get("content-type") ?? "", /problem\+json/)
      const head = await fetch(url, { method: "HEAD" })
      assert.deepStrictEqual([head.status, head.headers.get("content-length")], [200, String(bytes.length)])
    })
    it("the poster is an image", async () => {
      const video = itemsOf(await api.call("GET", "/api/videos"))[0]
      const poster = await fetch(api.url + String(video?.["posterUrl"]))
      assert.strictEqual(poster.headers.get("content-type"), "image/jpeg")
      assert.deepStrictEqual([...new Uint8Array(await poster.arrayBuffer()).subarray(0, 3)], [0xff, 0xd8, 0xff])
    })
    it("a signature is for one address and can be wrong", async () => {
      const wrong = url.replace(/signature=./, (m) => (m.endsWith("A") ? "signature=B" : "signature=A"))
      isProblem(await api.call("GET", wrong.slice(api.url.length)), 403, "forbidden")
      isProblem(await api.call("GET", url.slice(api.url.length).replace("/content", "/poster")), 403, "forbidden")
      isProblem(
        await api.call("GET", url.slice(api.url.length).replace(/expires=\d+/, "expires=9999999999")),
        403,
        "forbidden"
      )
    })
    it("a reader that goes away is no trouble", async () => {
      const controller = new AbortController()
      const response = await fetch(url, { signal: controller.signal })
      const reader = response.body?.getReader()
      await reader?.read()
      controller.abort()
      assert.strictEqual((await fetch(url)).status, 200)
    })
  })

  it("too large: refused by its length, and refused on the way; nothing stays", async () => {
    const before = await objects()
    isProblem(
      await api.call("POST", "/api/videos", "x".repeat(LIMIT + 1), { "content-type": "video/mp4" }),
      413,
      "too_large"
    )
    const status = await new Promise<number | undefined>((done) => {
      const call = request(
        `${api.url}/api/videos`,
        { method: "POST", headers: { "content-type": "video/mp4" } },
        (response) => done(response.statusCode)
      )
      call.on("error", () => done(undefined))
      for (let i = 0; i < 12; i++) call.write(Buffer.alloc(LIMIT / 10))
      call.end()
    })
    assert.include([413, undefined], status)
    await until("the leftovers to go", async () => (await objects()).length === before.length)
    assert.deepStrictEqual(await objects(), before)
  })

  it("an upload that breaks off leaves nothing", async () => {
    const before = await objects()
    const bytes = await readFile(file)
    await new Promise<void>((done) => {
      const call = request(`${api.url}/api/videos`, {
        method: "POST",
        headers: { "content-length": String(bytes.length) }
      })
      call.on("error", () => done())
      call.write(
        bytes.subarray(0, bytes.length / 2),
        () =>
          void until("its temporary", async () => (await objects()).length > before.length).then(() => call.destroy())
      )
      call.on("close", () => done())
    })
    await until("the leftovers to go", async () => (await objects()).length === before.length)
    assert.deepStrictEqual(await objects(), before)
  })

  it("a client that leaves while its row is written: the video is there, and whole", async () => {
    const held = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    // Somebody has the table for a moment, a migration for instance.
    const holder = api.run(
      api.database.transaction("hold", async (tx) => {
        await tx.execute(sql`lock table videos in exclusive mode`)
        held.resolve()
        await release.promise
      })
    )
    await held.promise
    const call = request(`${api.url}/api/videos?name=left.mp4`, { method: "POST" })
    const left = new Promise<void>((done) => call.on("error", () => {}).on("close", done))
    call.end(await readFile(file))
    await until("the insert to wait", async () => {
      const waiting = await api.run(
        api.database.query("waiting", (db) =>
          db.execute(sql`select from pg_locks where not granted and relation = 'videos'::regclass`)
        )
      )
      return waiting.length > 0
    })
    call.destroy()
    await left
    // By its answer the api has seen that, too.
    await api.call("GET", "/health/live")
    release.resolve()
    await holder
    const video = await until("the row", async () =>
      itemsOf(await api.call("GET", "/api/videos")).find(({ name }) => name === "left.mp4")
    )
    // Another intake that came later has ended by then, and this one, too.
    await api.upload(file)
    const content = await fetch(api.url + String(video["contentUrl"]))
    assert.strictEqual(content.status, 200)
    assert.deepStrictEqual(Buffer.from(await content.arrayBuffer()), await readFile(file))
    assert.strictEqual((await fetch(api.url + String(video["posterUrl"]))).status, 200)
  })

  it("an upload that stops coming is given up, and leaves nothing", async () => {
    const impatient = await startApi({ env: { REELAY_UPLOAD_IDLE_SECONDS: "0.3" } })
    try {
      const answer = await new Promise<string>((done, failed) => {
        const call = request(
          `${impatient.url}/api/videos`,
          { method: "POST", headers: { "content-length": "100000" } },
          (response) => {
            let text = ""
            response.on("data", (bytes: Buffer) => (text += bytes.toString()))
            response.on("end", () => {
              done(`${response.statusCode} ${text}`)
              call.destroy()
            })
          }
        )
        call.on("error", failed)
        call.write(Buffer.alloc(1000))
      })
      assert.match(answer, /^400 .*Nothing came for 0.3 seconds/)
      const left = await readdir(impatient.infra.store, { recursive: true, withFileTypes: true })
      assert.isEmpty(left.filter((entry) => entry.isFile()))
    } finally {
      await impatient.close()
    }
  })

  it("a client that asks before it sends is told to go on, or not to", async () => {
    const bytes = await readFile(file)
    const ask = (length: number) =>
      new Promise<{ readonly told: boolean; readonly status: number | undefined }>((done, failed) => {
        let told = false
        const call = request(
          `${api.url}/api/videos`,
          { method: "POST", headers: { "content-length": String(length), expect: "100-continue" } },
          (response) => {
            response.resume()
            done({ told, status: response.statusCode })
          }
        )
        call.on("error", failed)
        call.on("continue", () => {
          told = true
          call.end(bytes)
        })
        call.flushHeaders()
      })
    assert.deepStrictEqual(await ask(bytes.length), { told: true, status: 201 })
    assert.deepStrictEqual(await ask(LIMIT + 1), { told: false, status: 413 })
  })

  it("an upload is never held in memory", async () => {
    const big = await startApi({ env: { REELAY_MAX_UPLOAD_BYTES: "1000000000" } })
    try {
      const size = 256 * 1024 * 1024
      const chunk = Buffer.alloc(1024 * 1024)
      let peak = 0
      const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers)), 5)
      const status = await new Promise<number | undefined>((done, failed) => {
        const call = request(
          `${big.url}/api/videos`,
          { method: "POST", headers: { "content-length": String(size) } },
          (response) => done(response.statusCode)
        )
        call.on("error", failed)
        const send = (left: number): void => {
          if (left === 0) return void call.end()
          if (call.write(chunk)) setImmediate(send, left - chunk.length)
          else call.once("drain", () => send(left - chunk.length))
        }
        send(size)
      })
      clearInterval(watch)
      assert.strictEqual(status, 422)
      // Garbage of both ends included, as they share this process.
      assert.isBelow(peak, size / 2)
    } finally {
      await big.close()
    }
  })

  it("pages, newest first", async () => {
    const seen: Array<unknown> = []
    let cursor: unknown = null
    do {
      const answer = await api.call("GET", `/api/videos?limit=1${cursor === null ? "" : `&cursor=${String(cursor)}`}`)
      seen.push(...itemsOf(answer).map((video) => video["id"]))
      cursor = record(answer.body)["nextCursor"]
      assert.isAtLeast(Number(record(answer.body)["total"]), 3)
    } while (cursor !== null)
    assert.deepStrictEqual(seen, seen.toSorted().toReversed())
    assert.strictEqual(new Set(seen).size, seen.length)
  })

  it("delete: not while a clip uses it or an export needs it, then with its objects", async () => {
    const video = await api.upload(file)
    const project = await api.project({ name: "p" })
    const clip = record((await api.call("POST", `/api/projects/${project.id}/clips`, { videoId: video.id })).body)
    isProblem(await api.call("DELETE", `/api/videos/${video.id}`), 409, "conflict")
    const made = await api.start({ projectId: project.id })
    await api.call("DELETE", `/api/projects/${project.id}/clips/${String(clip["id"])}`)
    isProblem(await api.call("DELETE", `/api/videos/${video.id}`), 409, "conflict")
    await api.call("POST", `/api/exports/${made.id}/cancel`)
    assert.strictEqual((await api.call("DELETE", `/api/videos/${video.id}`)).status, 204)
    isProblem(await api.call("GET", `/api/videos/${video.id}`), 404, "not_found")
    assert.isEmpty((await objects()).filter((path) => path.includes(video.id)))
  })

  it("deleted while exports of it are asked for: either it stays, or they are refused", async () => {
    for (let round = 0; round < 3; round++) {
      const video = await api.upload(file)
      const [removed, ...asked] = await Promise.all([
        api.call("DELETE", `/api/videos/${video.id}`),
        ...Array.from({ length: 4 }, () => api.call("POST", "/api/exports", { videoId: video.id }))
      ])
      const accepted = asked.filter((answer) => answer.status === 202)
      assert.include([204, 409], removed.status)
      if (removed.status === 204) assert.isEmpty(accepted)
      for (const refused of asked.filter((answer) => answer.status !== 202)) isProblem(refused, 409, "video_not_found")
    }
  })

  describe("by reference", () => {
    const refer = (body: unknown) => api.call("POST", "/api/videos", body)
    it("footage is used where it lies", async () => {
      const path = join(roots, "take 1.mp4")
      await writeFile(path, await readFile(file))
      const answer = await refer({ path })
      assert.strictEqual(answer.status, 201)
      const video = record(answer.body)
      assert.deepInclude(video, { name: "take 1.mp4", frames: 50 })
      assert.isEmpty((await objects()).filter((key) => key.endsWith(`${String(video["id"])}/media`)))
      const content = await fetch(api.url + String(video["contentUrl"]), { headers: { range: "bytes=4-7" } })
      assert.strictEqual(await content.text(), "ftyp")
      assert.strictEqual((await api.start({ videoId: String(video["id"]) })).frames, 50)
      assert.strictEqual(record((await refer({ path, name: "Take one" })).body)["name"], "Take one")
      // Replaced by something else, it is gone: never another picture.
      await utimes(path, new Date(), new Date(Date.now() + 5000))
      isProblem(await api.call("GET", String(video["contentUrl"])), 404, "not_found")
    })
    it("nothing outside, however it is said; and not whether it is there", async () => {
      await symlink(file, join(roots, "link.mp4"))
      await symlink(clips.folder, join(roots, "folder"))
      const outside = [
        file,
        clips.path("nothing.mp4"),
        join(roots, "..", "My holiday (1).mp4"),
        `${roots}/../My holiday (1).mp4`,
        join(roots, "link.mp4"),
        `${roots}/folder/My holiday (1).mp4`,
        "/etc/passwd",
        "/",
        `${roots}x/a.mp4`
      ]
      for (const path of outside) isProblem(await refer({ path }), 403, "forbidden")
      isProblem(await refer({ path: join(roots, "nothing.mp4") }), 404, "not_found")
      isProblem(await refer({ path: roots }), 422, "unsupported_media")
      assert.deepStrictEqual(fieldsOf(isProblem(await refer({ path: "shared/take 1.mp4" }), 400, "validation")), [
        "path"
      ])
    })
    it("a link within the roots is followed to where it leads", async () => {
      await writeFile(join(roots, "real.mp4"), await readFile(file))
      await symlink("real.mp4", join(roots, "alias.mp4"))
      assert.strictEqual((await refer({ path: join(roots, "alias.mp4") })).status, 201)
      await rename(join(roots, "real.mp4"), join(roots, "moved.mp4"))
    })
    it("text there is refused like text sent", async () => {
      await writeFile(join(roots, "text.mp4"), "text")
      isProblem(await refer({ path: join(roots, "text.mp4") }), 422, "unsupported_media")
    })
    it("URLs are refused: no host is allowed", async () => {
      isProblem(await refer({ url: "http://127.0.0.1:1/a.mp4" }), 403, "forbidden")
    })
    it("neither, or both", async () => {
      isProblem(await refer({}), 400, "validation")
      isProblem(await refer({ path: "/a", url: "http://b" }), 400, "validation")
    })
  })
})
