import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { readFile, readdir } from "node:fs/promises"
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { fieldsOf, isProblem, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

const MiB = 1024 * 1024

describe("footage by URL", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let film: Buffer
  let host: Server
  let other: Server
  let [port, otherPort] = [0, 0]
  /** What the listed host, and one that is not, were asked for. */
  const asked: Array<string> = []
  const astray: Array<string> = []
  /** Connections whose other side ended them. */
  let left = 0

  const answers: Record<string, (response: ServerResponse) => unknown> = {
    "/a%20film.mp4?signed=yes": (response) => response.end(film),
    "/text.mp4": (response) => response.end("text"),
    "/moved": (response) => response.writeHead(302, { location: "/a%20film.mp4?signed=yes" }).end("elsewhere"),
    "/out": (response) => response.writeHead(307, { location: `http://127.0.0.1:${otherPort}/secret` }).end(),
    "/inward": (response) => response.writeHead(302, { location: `http://localhost:${port}/secret` }).end(),
    "/file": (response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
    "/round": (response) => response.writeHead(302, { location: "/round" }).end(),
    "/gone": (response) => response.writeHead(404).end(),
    "/zipped": (response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x"),
    "/huge": (response) => response.writeHead(200, { "content-length": String(5 * MiB) }).write("x"),
    "/endless": (response) => {
      const piece = Buffer.alloc(64 * 1024)
      const more = () => {
        while (response.write(piece));
      }
      response.on("drain", more)
      more()
    },
    "/stalls": (response) => response.write("x"),
    "/silent": () => {},
    "/trickle": (response) => {
      const timer = setInterval(() => response.write("x"), 20)
      response.on("close", () => clearInterval(timer))
    },
    "/breaks": (response) => {
      response.writeHead(200, { "content-length": String(film.length) })
      response.write(film.subarray(0, 1000), () => response.destroy())
    }
  }
  const listen = (listener: (request: IncomingMessage, response: ServerResponse) => void) =>
    new Promise<[Server, number]>((resolve) => {
      const server = createServer(listener).listen(0, "127.0.0.1", () => {
        const address = server.address()
        resolve([server, typeof address === "object" && address !== null ? address.port : 0])
      })
    })

  beforeAll(async () => {
    clips = await TinyClips.make()
    film = await readFile(await clips.plain("film.mp4"))
    ;[host, port] = await listen((request, response) => {
      asked.push(request.url ?? "")
      response.on("close", () => {
        if (!response.writableFinished) left++
      })
      answers[request.url ?? ""]?.(response)
    })
    ;[other, otherPort] = await listen((request, response) => {
      astray.push(request.url ?? "")
      response.end("secret")
    })
    api = await startApi({
      env: {
        REELAY_MEDIA_HOSTS: `127.0.0.1:${port}, localhost:${port}`,
        REELAY_MAX_UPLOAD_BYTES: String(MiB),
        REELAY_UPLOAD_IDLE_SECONDS: "0.5",
        REELAY_MEDIA_FETCH_SECONDS: "1"
      }
    })
  })
  afterAll(async () => {
    await api.close()
    host.closeAllConnections()
    host.close()
    other.close()
    await clips.remove()
  })

  const at = (path: string) => `http://127.0.0.1:${port}${path}`
  const refer = (url: string, more: Record<string, unknown> = {}) => api.call("POST", "/api/videos", { url, ...more })
  const objects = async () =>
    (await readdir(`${api.env["REELAY_STORE"]}`, { recursive: true })).filter((key) => key.endsWith("/media"))

  it("is copied, so that its frames stay what they are", async () => {
    const answer = await refer(at("/a%20film.mp4?signed=yes"))
    assert.strictEqual(answer.status, 201, JSON.stringify(answer.body))
    const video = record(answer.body)
    assert.deepInclude(video, { name: "a film.mp4", frames: 50, bytes: film.length, status: "ready" })
    const content = await fetch(api.url + String(video["contentUrl"]))
    const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
    assert.strictEqual(digest(new Uint8Array(await content.arrayBuffer())), digest(film))
    assert.strictEqual(record((await refer(at("/moved"), { name: "Take one" })).body)["name"], "Take one")
    assert.strictEqual(asked.at(-1), "/a%20film.mp4?signed=yes")
  })

  describe("leaves nothing, and says why, when", () => {
    const refused: ReadonlyArray<[why: string, path: string, status: number, code: string]> = [
      ["it is no video", "/text.mp4", 422, "unsupported_media"],
      ["it leads to a host that is not listed", "/out", 403, "forbidden"],
      ["it leads to a name that means this machine", "/inward", 403, "forbidden"],
      ["it leads to a file", "/file", 400, "validation"],
      ["it leads in circles", "/round", 400, "validation"],
      ["it is not there", "/gone", 400, "validation"],
      ["it is packed", "/zipped", 400, "validation"],
      ["it says that it is too large", "/huge", 413, "too_large"],
      ["it never ends", "/endless", 413, "too_large"],
      ["it stalls", "/stalls", 503, "unavailable"],
      ["nothing is answered", "/silent", 503, "unavailable"],
      ["it comes by the byte", "/trickle", 503, "unavailable"],
      ["it breaks off", "/breaks", 503, "unavailable"]
    ]
    it.each(refused)("%s", async (_, path, status, code) => {
      const before = await objects()
      const answer = await refer(at(path))
      const problem = isProblem(answer, status, code)
      if (status === 400) assert.deepStrictEqual(fieldsOf(problem), ["url"])
      if (status === 503) assert.isNotNull(answer.headers.get("retry-after"))
      assert.deepStrictEqual(await objects(), before)
      assert.deepStrictEqual(astray, [])
    })
    it("and lets go of the connection", async () => {
      const before = left
      isProblem(await refer(at("/endless")), 413, "too_large")
      await until("the host to be let go", async () => left > before)
    })
  })

  it("is not fetched from a listed name that means this machine: only an address may", async () => {
    const before = asked.length
    const { detail } = isProblem(await refer(`http://localhost:${port}/a%20film.mp4?signed=yes`), 403, "forbidden")
    assert.match(String(detail), /private network/)
    assert.strictEqual(asked.length, before)
  })

  it("is not fetched from elsewhere, nor by other ways", async () => {
    for (const url of [
      `http://127.0.0.1:${otherPort}/secret`,
      "https://example.com/a.mp4",
      `http://127.0.0.2:${port}/`
    ]) {
      isProblem(await refer(url), 403, "forbidden")
    }
    for (const url of [
      "file:///etc/passwd",
      "ftp://127.0.0.1/a",
      `http://u:p@127.0.0.1:${port}/a.mp4`,
      "a.mp4",
      "//x"
    ]) {
      assert.deepStrictEqual(fieldsOf(isProblem(await refer(url), 400, "validation")), ["url"])
    }
    assert.deepStrictEqual(astray, [])
  })

  it("a list that means nothing does not start", async () => {
    const started = await startApi({ env: { REELAY_MEDIA_HOSTS: "https://media.example" } }).then(
      () => "started",
      (error: unknown) => String(error)
    )
    assert.include(started, "REELAY_MEDIA_HOSTS")
  })
})
