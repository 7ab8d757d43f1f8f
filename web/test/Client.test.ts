import { assert, describe, it } from "@effect/vitest"
import { ExportRequest } from "@reelay/contracts/Export"
import { Schema } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { onTestFinished, vi } from "vitest"
import { makeClient } from "../src/api/Client.ts"
import { type Failure, failureOf, isTransient, refusal } from "../src/api/Problem.ts"
import { subjectOf, TOKEN_AGAIN, TOKEN_TIMEOUT, tokenSource } from "../src/api/Token.ts"
import { keepIn } from "../src/state/Keep.ts"
import { idOf, wireRow } from "./Rows.ts"

type Answer = (request: IncomingMessage, response: ServerResponse) => void
const json =
  (status: number, body: unknown): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" })
    response.end(JSON.stringify(body))
  }

/** A real server that gives one answer to everything, and a client before it. */
const against = async (answer: Answer, tokens: ReadonlyArray<string | null> = [null]) => {
  const heard: Array<{ method: string; url: string; headers: IncomingMessage["headers"]; body: string }> = []
  const server = createServer(async (request, response) => {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    heard.push({
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString()
    })
    answer(request, response)
  })
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  assert.isObject(address)
  const port = typeof address === "object" && address !== null ? address.port : 0
  let asked = 0
  const unauthorized: Array<string | null> = []
  const client = makeClient({
    base: `http://127.0.0.1:${port}`,
    tokens: {
      token: async () => tokens[Math.min(asked++, tokens.length - 1)] ?? null,
      paste: () => {},
      identity: async () => "local"
    },
    onUnauthorized: (token) => void unauthorized.push(token)
  })
  return { client, heard, server, unauthorized: () => unauthorized }
}
const failing = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => assert.fail("should have failed"),
    (error) => failureOf(error)
  )

describe("client", () => {
  it("decodes what it gets", async () => {
    const { client, heard } = await against(
      json(200, { items: [wireRow({ status: "processing", epoch: 1 })], nextCursor: "n", total: 9 })
    )
    const page = await client.exports({ limit: 50, cursor: "c d" })
    assert.strictEqual(page.items[0]?.status, "processing")
    assert.strictEqual(page.nextCursor, "n")
    assert.strictEqual(heard[0]?.url, "/api/exports?sort=-createdAt&limit=50&cursor=c+d")
  })

  it("asks for a fresh token for every request", async () => {
    const { client, heard } = await against(json(200, { items: [] }), [null, "one", "two"])
    await client.active()
    await client.active()
    await client.recent()
    assert.deepStrictEqual(
      heard.map(({ headers }) => headers.authorization),
      [undefined, "Bearer one", "Bearer two"]
    )
  })

  it("sends an export with its key", async () => {
    const { client, heard } = await against(json(202, wireRow()))
    const request = Schema.decodeUnknownSync(ExportRequest)({ videoId: idOf(5), segments: [{ start: 1, end: 2 }] })
    await client.create(request, "key-1")
    assert.strictEqual(heard[0]?.headers["idempotency-key"], "key-1")
    assert.deepInclude(JSON.parse(heard[0]?.body ?? ""), { videoId: idOf(5), segments: [{ start: 1, end: 2 }] })
  })

  it("tells a deletion from a cancellation", async () => {
    const gone = await against((_, response) => response.writeHead(204).end())
    assert.isNull(await gone.client.remove(idOf(1)))
    const still = await against(json(202, wireRow({ status: "cancelled" })))
    assert.strictEqual((await still.client.remove(idOf(1)))?.status, "cancelled")
  })

  it("says problems in words, with their code", async () => {
    const { client } = await against(
      json(429, { code: "rate_limited", title: "x", status: 429, retryAfterSeconds: 1800 })
    )
    const failure = await failing(client.retry(idOf(1)))
    assert.deepInclude(failure, { kind: "refused", status: 429, code: "rate_limited" })
    assert.include(failure.message, "30 minutes")
  })

  it("asks to sign in on 401, once per refused request", async () => {
    const refuses = json(401, { code: "unauthorized", status: 401 })
    for (const tokens of [[null], ["same"]]) {
      const { client, heard, unauthorized } = await against(refuses, tokens)
      assert.strictEqual((await failing(client.active())).code, "unauthorized")
      assert.deepStrictEqual(unauthorized(), tokens)
      assert.lengthOf(heard, 1)
    }
  })

  it("tries once more when there is another token than the one that was refused", async () => {
    const takes =
      (token: string): Answer =>
      (request, response) =>
        json(request.headers.authorization === `Bearer ${token}` ? 200 : 401, { items: [] })(request, response)
    const renewed = await against(takes("fresh"), ["stale", "fresh"])
    assert.deepStrictEqual(await renewed.client.active(), { items: [] })
    assert.isEmpty(renewed.unauthorized())
    const refused = await against(takes("none"), ["one", "two", "three"])
    assert.strictEqual((await failing(refused.client.active())).code, "unauthorized")
    assert.deepStrictEqual(refused.unauthorized(), ["two"])
    assert.lengthOf(refused.heard, 2)
  })

  it("takes an answer that is no answer for what it is", async () => {
    const wrong = await against(json(200, { items: [{ id: "x" }], nextCursor: null, total: 1 }))
    assert.strictEqual((await failing(wrong.client.exports({ limit: 1 }))).kind, "garbled")
    const html = await against((_, response) => response.writeHead(200).end("<html>"))
    assert.strictEqual((await failing(html.client.active())).kind, "garbled")
    const gateway = await against((_, response) => response.writeHead(502).end("<html>Bad gateway"))
    assert.deepInclude(await failing(gateway.client.active()), { kind: "unreachable", status: 502 })
  })

  it("knows a server that is gone from one that is slow", async () => {
    const cut = await against((request) => request.socket.destroy())
    assert.strictEqual((await failing(cut.client.active())).kind, "unreachable")
    const slow = await against(() => {})
    const impatient = makeClient({
      base: "http://unused",
      tokens: { token: async () => null, paste: () => {}, identity: async () => "local" },
      onUnauthorized: () => {},
      // The real timeout takes ten seconds: the request stands, only its clock is set forward.
      fetch: (_, init) => {
        const address = slow.server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const soon = AbortSignal.timeout(50)
        const given = init?.signal
        return fetch(`http://127.0.0.1:${port}/`, { ...init, signal: given ? AbortSignal.any([given, soon]) : soon })
      }
    })
    assert.strictEqual((await failing(impatient.active())).kind, "timeout")
  })

  it("stops when it is told to", async () => {
    const stop = new AbortController()
    const { client } = await against(() => stop.abort())
    assert.strictEqual((await failing(client.exports({ limit: 1 }, stop.signal))).kind, "aborted")
  })
})

describe("problems", () => {
  it("name the fields that are wrong", () => {
    const failure = refusal(400, {
      code: "validation",
      detail: "Not valid",
      errors: [{ field: "segments.0.end", message: "is past the end" }]
    })
    assert.strictEqual(failure.message, "Not valid: segments.0.end: is past the end")
    const said = refusal(400, {
      code: "validation",
      detail: "a: is wrong",
      errors: [{ field: "a", message: "is wrong" }]
    })
    assert.strictEqual(said.message, "a: is wrong")
  })

  it("prefer the server's words about a file, and about what stands in the way", () => {
    assert.strictEqual(
      refusal(422, { code: "unsupported_media", detail: "“a.txt” is no video." }).message,
      "“a.txt” is no video."
    )
    assert.include(refusal(422, { code: "unsupported_media" }).message, "not a video")
    assert.strictEqual(
      refusal(409, { code: "conflict", detail: "A clip uses this video." }).message,
      "A clip uses this video."
    )
    assert.include(refusal(409, { code: "conflict" }).message, "no longer possible")
  })

  it("are worth another try when the fault is not in the request", () => {
    const worth = [
      refusal(503, {}),
      refusal(429, { code: "rate_limited" }),
      refusal(401, {}),
      refusal(422, {}),
      refusal(404, {})
    ].map(isTransient)
    assert.deepStrictEqual(worth, [true, true, true, false, false])
  })

  it("have words for a code that is not known yet, and for none", () => {
    assert.strictEqual(refusal(418, { code: "teapot", title: "Short and stout" }).message, "Short and stout")
    assert.strictEqual(refusal(418, "x").message, "The server answered 418.")
  })
})

describe("tokens", () => {
  const session = () => {
    const inside = new Map<string, string>()
    return keepIn(() => ({
      getItem: (key: string) => inside.get(key) ?? null,
      setItem: (key: string, value: string) => void inside.set(key, value),
      removeItem: (key: string) => void inside.delete(key),
      clear: () => inside.clear(),
      key: () => null,
      length: 0
    }))
  }
  const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`

  it("are none in local mode", async () => {
    const source = tokenSource(() => undefined, session())
    assert.isNull(await source.token())
    assert.strictEqual(await source.identity(), "local")
  })

  it("come from the host page first, fresh each time, then from the person", async () => {
    let count = 0
    const source = tokenSource(() => ({ token: () => `t${++count}` }), session())
    source.paste("pasted")
    assert.deepStrictEqual([await source.token(), await source.token()], ["t1", "t2"])
    const silent = tokenSource(() => ({ token: () => null }), session())
    silent.paste("pasted")
    assert.strictEqual(await silent.token(), "pasted")
    silent.paste(null)
    assert.isNull(await silent.token())
  })

  it("survive a host page that fails", async () => {
    const throws = tokenSource(
      () => ({
        token: () => {
          throw new Error("no")
        }
      }),
      session()
    )
    const rejects = tokenSource(() => ({ token: () => Promise.reject(new Error("no")) }), session())
    assert.deepStrictEqual([await throws.token(), await rejects.token()], [null, null])
  })

  it("are not waited for for ever, the next time hardly at all, and taken again when they come", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const answers: Array<(token: string) => void> = []
    const source = tokenSource(() => ({ token: () => new Promise((resolve) => answers.push(resolve)) }), session())
    source.paste("pasted")
    const got: Array<string | null> = []
    const ask = async () => {
      void source.token().then((token) => got.push(token))
      await vi.advanceTimersByTimeAsync(0)
    }
    const answer = async (token: string) => {
      answers.at(-1)?.(token)
      await vi.advanceTimersByTimeAsync(0)
    }
    await ask()
    await vi.advanceTimersByTimeAsync(TOKEN_TIMEOUT - 1)
    assert.deepStrictEqual(got, [])
    await vi.advanceTimersByTimeAsync(1)
    await ask()
    await vi.advanceTimersByTimeAsync(TOKEN_AGAIN)
    assert.deepStrictEqual(got, ["pasted", "pasted"])
    await ask()
    await answer("fresh")
    await ask()
    await vi.advanceTimersByTimeAsync(TOKEN_TIMEOUT - 1)
    await answer("slow")
    assert.deepStrictEqual(got.slice(2), ["fresh", "slow"])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("tell users apart by their subject", async () => {
    assert.strictEqual(subjectOf(jwt({ sub: "größe|1" })), "größe|1")
    for (const nonsense of ["", "a", "a.b.c", jwt({}), jwt({ sub: 3 })]) assert.isNull(subjectOf(nonsense))
    const source = tokenSource(() => ({ token: () => jwt({ sub: "ada" }) }), session())
    assert.strictEqual(await source.identity(), "ada")
  })
})
