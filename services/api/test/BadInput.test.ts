import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { request } from "node:http"
import { connect } from "node:net"
import { readFile, readdir, writeFile } from "node:fs/promises"
import { fieldsOf, isProblem, itemsOf, NOBODY } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

describe("bad input: a typed problem, nothing half-made, no crash", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let videoId: string
  let good: string
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi(), TinyClips.make()])
    good = await clips.plain("good.mp4", { seconds: 3 })
    videoId = (await api.upload(good)).id
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  /** Everything in the object store. */
  const objects = async () =>
    (await readdir(api.infra.store, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length

  it("files that are no video: refused, without a row, without an object", async () => {
    const before = await objects()
    const bytes = await readFile(good)
    const files: ReadonlyArray<readonly [string, string | Uint8Array]> = [
      ["text.mp4", "This is a text.\n".repeat(200)],
      ["empty.mp4", ""],
      ["head.mp4", bytes.subarray(0, 2000)],
      ["cut.mp4", bytes.subarray(0, bytes.length * 0.6)],
      ["list.mp4", "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/s.ts\n#EXT-X-ENDLIST\n"]
    ]
    for (const [name, content] of files) {
      await writeFile(clips.path(name), content)
      const body = isProblem(await api.uploadRaw(clips.path(name)), 422, "unsupported_media")
      assert.isString(body["detail"], name)
      assert.notInclude(JSON.stringify(body), "/", `${name}: no paths`)
    }
    assert.strictEqual(itemsOf(await api.call("GET", "/api/videos")).length, 1)
    assert.strictEqual(await objects(), before)
  })

  const refused: ReadonlyArray<readonly [string, object, string, string]> = [
    ["a segment of no length", { segments: [{ start: 1, end: 1 }] }, "invalid_segment", "segments[0]"],
    [
      "end before start",
      {
        segments: [
          { start: 0, end: 1 },
          { start: 2, end: 1 }
        ]
      },
      "invalid_segment",
      "segments[1]"
    ],
    ["past the end", { segments: [{ start: 1, end: 3.1 }] }, "invalid_segment", "segments[0]"],
    ["far past any end", { segments: [{ start: 1e300, end: 2e300 }] }, "invalid_segment", "segments[0]"],
    ["before the beginning", { segments: [{ start: -1, end: 1 }] }, "invalid_segment", "segments[0]"],
    ["shorter than a frame", { segments: [{ start: 1, end: 1.0001 }] }, "invalid_segment", "segments[0]"],
    ["a segment that is text", { segments: [{ start: "1", end: 2 }] }, "validation", "segments[0].start"],
    ["a segment that is null", { segments: [{ start: null, end: 2 }] }, "validation", "segments[0].start"],
    ["a segment without an end", { segments: [{ start: 1 }] }, "validation", "segments[0].end"],
    ["an unknown field", { resolution: "720p" }, "validation", "resolution"],
    ["an unknown field within settings", { settings: { bitrate: 9 } }, "validation", "settings.bitrate"],
    [
      "an unknown field within a segment",
      { segments: [{ start: 0, end: 1, speed: 2 }] },
      "validation",
      "segments[0].speed"
    ],
    ["an unknown format", { settings: { format: "exe" } }, "validation", "settings.format"],
    [
      "a codec that the format cannot hold",
      { settings: { format: "webm", codec: "h264" } },
      "validation",
      "settings.codec"
    ],
    [
      "single with two segments",
      {
        delivery: "single",
        segments: [
          { start: 0, end: 1 },
          { start: 1, end: 2 }
        ]
      },
      "validation",
      "delivery"
    ],
    ["a loudness that is none of the usual", { settings: { loudness: -15 } }, "validation", "settings.loudness"],
    [
      "a codec in no container of its own",
      { settings: { codec: "av1", format: "mov" } },
      "validation",
      "settings.codec"
    ],
    ["an aspect that needs a crop", { settings: { aspect: "9:16" } }, "missing_crop_data", ""],
    ["a project beside a video", { projectId: NOBODY }, "validation", "videoId"],
    ["a label that is too long", { nodeLabels: ["x".repeat(65)] }, "validation", "nodeLabels[0]"],
    ["text that Postgres cannot hold", { nodeLabels: ["a\u0000b"] }, "validation", "nodeLabels[0]"],
    ["half a character", { nodeLabels: ["\ud800"] }, "validation", "nodeLabels[0]"],
    [
      "a thousand and one segments",
      { segments: Array.from({ length: 1001 }, () => ({ start: 0, end: 1 })) },
      "validation",
      "segments"
    ]
  ]
  it.each(refused)("%s", async (_, part, code, field) => {
    const body = isProblem(await api.call("POST", "/api/exports", { videoId, ...part }), 400, code)
    if (field !== "") assert.deepStrictEqual(fieldsOf(body), [field])
  })

  it("every mistake is named at once", async () => {
    const body = isProblem(
      await api.call("POST", "/api/exports", { videoId, a: 1, b: 2, delivery: "x" }),
      400,
      "validation"
    )
    assert.sameMembers([...fieldsOf(body)], ["a", "b", "delivery"])
  })

  it("neither a project nor a video", async () => {
    assert.deepStrictEqual(fieldsOf(isProblem(await api.call("POST", "/api/exports", {}), 400, "validation")), [
      "projectId"
    ])
  })

  it("what is not JSON, or not an object, or not numbers", async () => {
    for (const body of [
      "{not json",
      "",
      "null",
      "[]",
      "1",
      `"x"`,
      `{"videoId":"${videoId}","segments":[{"start":NaN,"end":1}]}`
    ]) {
      isProblem(await api.call("POST", "/api/exports", body), 400, "validation")
    }
    isProblem(
      await api.call("POST", "/api/exports", "a=b", { "content-type": "application/x-www-form-urlencoded" }),
      415,
      "unsupported_media"
    )
  })

  it("a body of bytes that are no text", async () => {
    const response = await fetch(`${api.url}/api/projects`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Uint8Array.from([0xff, 0xfe, 0x00, 0x7b])
    })
    assert.strictEqual(response.status, 400)
  })

  it("10 MB of JSON: refused by its length, before it is sent", async () => {
    isProblem(await api.call("POST", "/api/exports", `{"x":"${"a".repeat(10_000_000)}"}`), 413, "too_large")
    const status = await new Promise<number | undefined>((done, failed) => {
      const call = request(
        `${api.url}/api/exports`,
        {
          method: "POST",
          headers: { "content-type": "application/json", "content-length": "10000000" }
        },
        (response) => done(response.statusCode)
      )
      call.on("error", failed)
      // Nothing of the body is ever sent.
      call.flushHeaders()
    })
    assert.strictEqual(status, 413)
  })

  it("10 MB of JSON of unsaid length: refused on the way", async () => {
    const status = await new Promise<number | undefined>((done) => {
      const call = request(
        `${api.url}/api/exports`,
        { method: "POST", headers: { "content-type": "application/json" } },
        (response) => done(response.statusCode)
      )
      call.on("error", () => done(undefined))
      call.write(`{"x":"`)
      for (let i = 0; i < 10; i++) call.write("a".repeat(1_000_000))
      call.end(`"}`)
    })
    // The connection may break before the answer is read; taken in it is not.
    assert.include([413, undefined], status)
    assert.strictEqual((await api.call("GET", "/health/live")).status, 200)
  })

  it("a JSON body that says it is an upload, and the other way round", async () => {
    isProblem(await api.call("POST", "/api/videos", { path: "/etc/passwd" }), 403, "forbidden")
    assert.deepStrictEqual(
      fieldsOf(isProblem(await api.call("POST", "/api/videos", { path: "/x", mode: 1 }), 400, "validation")).includes(
        "mode"
      ),
      true
    )
    isProblem(await api.call("POST", "/api/videos", "{", {}), 400, "validation")
    isProblem(
      await api.call("POST", "/api/videos", `{"path":"/etc/passwd"}`, { "content-type": "video/mp4" }),
      422,
      "unsupported_media"
    )
  })

  it("names that are too long, empty or cannot be stored", async () => {
    for (const name of ["", "x".repeat(256), "a\u0000b", "\udc00"]) {
      assert.deepStrictEqual(
        fieldsOf(isProblem(await api.call("POST", "/api/projects", { name }), 400, "validation")),
        ["name"]
      )
    }
    isProblem(
      await api.call("POST", `/api/videos?name=${"x".repeat(256)}`, "abc", { "content-type": "video/mp4" }),
      400,
      "validation"
    )
    isProblem(
      await api.call("POST", "/api/videos?name=a%00b", "abc", { "content-type": "video/mp4" }),
      400,
      "validation"
    )
  })

  it("queries: unknown ones and wrong ones", async () => {
    assert.deepStrictEqual(fieldsOf(isProblem(await api.call("GET", "/api/exports?colour=red"), 400, "validation")), [
      "colour"
    ])
    for (const query of [
      "limit=0",
      "limit=201",
      "limit=1.5",
      "limit=x",
      "status=done",
      "sort=name",
      "cursor=%00",
      "cursor=abc",
      "projectId=1",
      "limit=1&limit=2"
    ]) {
      isProblem(await api.call("GET", `/api/exports?${query}`), 400, "validation")
    }
    isProblem(await api.call("GET", "/api/exports/recent?hours=-1"), 400, "validation")
  })

  it("ids of nobody, ids that are none, addresses that are none", async () => {
    isProblem(await api.call("POST", "/api/exports", { videoId: NOBODY }), 409, "video_not_found")
    isProblem(await api.call("POST", "/api/exports", { projectId: NOBODY }), 404, "not_found")
    isProblem(
      await api.call("POST", "/api/exports", { videoId: "4f9b9a2e-6f5f-4a7e-8f0e-0d6f3f7d8a11" }),
      409,
      "video_not_found"
    )
    for (const id of [
      NOBODY,
      "nothing",
      "1",
      "4f9b9a2e-6f5f-4a7e-8f0e-0d6f3f7d8a11",
      videoId.toUpperCase(),
      "..%2f..%2fetc",
      "%00",
      "x".repeat(500)
    ]) {
      for (const path of [
        `/api/exports/${id}`,
        `/api/exports/${id}/progress`,
        `/api/videos/${id}`,
        `/api/projects/${id}`,
        `/api/videos/${id}/content`
      ]) {
        isProblem(await api.call("GET", path), 404, "not_found")
      }
    }
    isProblem(await api.call("POST", `/api/exports/${NOBODY}/cancel`), 404, "not_found")
    isProblem(await api.call("POST", `/api/exports/${NOBODY}/retry`), 404, "not_found")
    isProblem(await api.call("DELETE", `/api/exports/${NOBODY}`), 404, "not_found")
    for (const path of ["/api", "/api/", "/api/nothing", "/apis", "/", "/api/exports/a/b/c"])
      isProblem(await api.call("GET", path), 404, "not_found")
    isProblem(await api.call("PATCH", "/api/exports"), 404, "not_found")
  })

  it("headers that are none of ours", async () => {
    isProblem(await api.call("POST", "/api/exports", { videoId }, { "idempotency-key": "" }), 400, "validation")
    isProblem(
      await api.call("POST", "/api/exports", { videoId }, { "idempotency-key": "k".repeat(256) }),
      400,
      "validation"
    )
  })

  it("noise instead of HTTP", async () => {
    const answer = await new Promise<string>((done) => {
      const socket = connect(Number(new URL(api.url).port), "127.0.0.1", () =>
        socket.write("\x16\x03\x01 hello\r\n\r\n")
      )
      let text = ""
      socket.on("data", (bytes) => (text += bytes.toString("latin1")))
      socket.on("close", () => done(text))
      socket.on("error", () => done(text))
    })
    assert.match(answer, /^HTTP\/1.1 400/)
  })

  it("after all of it: one video, no export, and it works", async () => {
    assert.strictEqual(itemsOf(await api.call("GET", "/api/exports")).length, 0)
    assert.strictEqual((await api.start({ videoId })).status, "pending")
  })
})
