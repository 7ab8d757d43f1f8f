import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { exports_ } from "@reelay/platform/Tables"
import { sql } from "drizzle-orm"
import { fieldsOf, isProblem, itemsOf, NOBODY, record } from "./Answers.ts"
import { bearer, JWT, startApi, tokenOf } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { complete, process } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"
import { request } from "node:http"

describe("REELAY_AUTH=jwt", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let file: string
  let alice: Record<string, string>
  let bob: Record<string, string>
  let root: Record<string, string>
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([
      startApi({ env: { ...JWT, REELAY_CORS_ORIGINS: "https://studio.example, https://b.example" } }),
      TinyClips.make()
    ])
    file = await clips.plain("private.mp4")
    ;[alice, bob, root] = await Promise.all([bearer("alice"), bearer("bob"), bearer("root", { role: "operator" })])
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  it("without a token, or with a wrong one: 401, and how to do it right", async () => {
    const none = await api.call("GET", "/api/exports")
    isProblem(none, 401, "unauthorized")
    assert.strictEqual(none.headers.get("www-authenticate"), "Bearer")
    const expired = await tokenOf("alice", { exp: 1 })
    const forged = `${(await tokenOf("alice")).split(".").slice(0, 2).join(".")}.AAAA`
    for (const header of [
      "Bearer nonsense",
      "Bearer ",
      "Basic YTpi",
      `Bearer ${forged}`,
      `bearer`,
      `Bearer ${expired}x`
    ]) {
      const answer = await api.call("GET", "/api/exports", undefined, { authorization: header })
      isProblem(answer, 401, "unauthorized")
      assert.strictEqual(answer.headers.get("www-authenticate"), `Bearer error="invalid_token"`)
    }
    for (const [method, path] of [
      ["POST", "/api/videos"],
      ["POST", "/api/exports"],
      ["GET", "/api/nodes"],
      ["DELETE", `/api/exports/${NOBODY}`],
      ["GET", `/api/videos/${NOBODY}/content`],
      ["GET", `/api/exports/${NOBODY}/poster`]
    ] as const) {
      isProblem(await api.call(method, path), 401, "unauthorized")
    }
    // Who may not come in is not told that his JSON is wrong.
    isProblem(await api.call("POST", "/api/exports", "{"), 401, "unauthorized")
    assert.strictEqual((await api.call("GET", "/health/live")).status, 200)
    assert.strictEqual((await api.call("GET", "/openapi.json")).status, 200)
  })

  it("what is another user's answers like what is not there, by every address", async () => {
    const video = await api.upload(file, alice)
    assert.strictEqual((await api.call("GET", `/api/videos/${video.id}`, undefined, alice)).status, 200)
    const project = await api.project({ name: "secret" }, alice)
    const clip = record(
      (await api.call("POST", `/api/projects/${project.id}/clips`, { videoId: video.id }, alice)).body
    )
    const made = await api.start({ videoId: video.id }, alice)
    assert.strictEqual(made.userId, "alice")
    await complete(api, made, file)
    const e = `/api/exports/${made.id}`
    const p = `/api/projects/${project.id}`
    const c = `${p}/clips/${String(clip["id"])}`
    const v = `/api/videos/${video.id}`
    const calls: ReadonlyArray<readonly [string, string, unknown?]> = [
      ["GET", v],
      ["DELETE", v],
      ["GET", `${v}/content`],
      ["GET", `${v}/poster`],
      ["GET", `${v}/exports`],
      ["POST", `${v}/exports`, {}],
      ["GET", p],
      ["PATCH", p, { name: "mine" }],
      ["DELETE", p],
      ["GET", `${p}/exports`],
      ["POST", `${p}/clips`, { videoId: video.id }],
      ["PUT", c, { name: "mine" }],
      ["DELETE", c],
      ["PUT", `${p}/clips/order`, { clipIds: [clip["id"]] }],
      ["GET", e],
      ["GET", `${e}/progress`],
      ["GET", `${e}/download`],
      ["GET", `${e}/content`],
      ["GET", `${e}/poster`],
      ["POST", `${e}/cancel`],
      ["POST", `${e}/retry`],
      ["DELETE", e],
      ["GET", `${e}/attempts`],
      ["POST", `${e}/video`],
      ["POST", "/api/exports", { projectId: project.id }]
    ]
    for (const [method, path, body] of calls) {
      const theirs = isProblem(await api.call(method, path, body, bob), 404, "not_found")
      const nobodys = path.replaceAll(/[0-9a-f-]{36}(?=\/|$)/g, NOBODY)
      const missing = await api.call(
        method,
        nobodys,
        body === undefined ? undefined : JSON.parse(JSON.stringify(body).replaceAll(project.id, NOBODY)),
        bob
      )
      assert.deepStrictEqual<unknown>(theirs, missing.body, `${method} ${path}`)
    }
    isProblem(await api.call("POST", "/api/exports", { videoId: video.id }, bob), 409, "video_not_found")
    isProblem(await api.call("POST", "/api/exports/estimate", { videoId: video.id }, bob), 409, "video_not_found")
    const own = await api.project({ name: "bob's" }, bob)
    isProblem(
      await api.call("POST", `/api/projects/${own.id}/clips`, { videoId: video.id }, bob),
      409,
      "video_not_found"
    )
    for (const path of [
      "/api/videos",
      "/api/exports",
      "/api/exports/active",
      "/api/exports/recent",
      `/api/exports?projectId=${project.id}`
    ]) {
      assert.isEmpty(itemsOf(await api.call("GET", path, undefined, bob)), path)
    }
    assert.isNotEmpty(itemsOf(await api.call("GET", "/api/exports/recent", undefined, alice)))
    // All of it is still as it was.
    assert.deepInclude(record((await api.call("GET", p, undefined, alice)).body), { name: "secret" })
    assert.strictEqual((await api.call("GET", c.replace(/\/clips.*/, ""), undefined, alice)).status, 200)
    assert.strictEqual((await api.call("GET", e, undefined, alice)).status, 200)
  })

  it("signed URLs need no token and serve nothing else", async () => {
    const video = await api.upload(file, alice)
    assert.strictEqual((await fetch(api.url + video.contentUrl)).status, 200)
    assert.strictEqual((await fetch(api.url + video.posterUrl)).status, 200)
    isProblem(await api.call("GET", video.contentUrl.replace("/content?", "?")), 401, "unauthorized")
    const signed = await api.call("GET", `/api/videos/${video.id}/content`, undefined, alice)
    assert.strictEqual(signed.status, 200)
  })

  it("an Idempotency-Key is its user's own", async () => {
    const mine = await api.upload(file, alice)
    const theirs = await api.upload(file, bob)
    const one = await api.start({ videoId: mine.id }, { ...alice, "idempotency-key": "same" })
    const other = await api.start({ videoId: theirs.id }, { ...bob, "idempotency-key": "same" })
    assert.notStrictEqual(one.id, other.id)
  })

  it("operators' calls are operators'", async () => {
    const video = await api.upload(file, alice)
    const made = await api.start({ videoId: video.id }, alice)
    await process(api, made)
    const calls: ReadonlyArray<readonly [string, string, unknown?]> = [
      ["GET", `/api/exports/${made.id}/plan`],
      ["POST", "/api/nodes/n1/drain"],
      ["POST", "/api/nodes/n1/resume"],
      ["POST", "/api/nodes/n1/stop"],
      ["GET", "/api/queue"],
      ["PUT", "/api/queue", { paused: true }]
    ]
    for (const [method, path, body] of calls) isProblem(await api.call(method, path, body, alice), 403, "forbidden")
    assert.strictEqual((await api.call("GET", `/api/exports/${made.id}/plan`, undefined, root)).status, 200)
    assert.deepStrictEqual((await api.call("GET", "/api/queue", undefined, root)).body, { paused: false })
  })

  it("the limit: ten an hour, said beforehand and when it is reached; what was asked twice counts once", async () => {
    const carol = await bearer("carol")
    const { id } = await api.upload(file, carol)
    const first = await api.call("POST", "/api/exports", { videoId: id }, { ...carol, "idempotency-key": "k" })
    assert.strictEqual(first.headers.get("ratelimit-policy"), `"exports";q=10;w=3600`)
    assert.match(first.headers.get("ratelimit") ?? "", /^"exports";r=9;t=\d+$/)
    // A burst gets no more than its due.
    const burst = await Promise.all(
      Array.from({ length: 15 }, () => api.call("POST", "/api/exports", { videoId: id }, carol))
    )
    assert.strictEqual(burst.filter((answer) => answer.status === 202).length, 9)
    const refused = burst.find((answer) => answer.status === 429)
    if (refused === undefined) return assert.fail("none was refused")
    const body = isProblem(refused, 429, "rate_limited")
    const seconds = Number(refused.headers.get("retry-after"))
    assert.isTrue(seconds > 3500 && seconds <= 3600)
    assert.strictEqual(body["retryAfterSeconds"], seconds)
    assert.strictEqual(
      (await api.call("POST", "/api/exports", { videoId: id }, { ...carol, "idempotency-key": "k" })).status,
      202
    )
    isProblem(await api.call("POST", `/api/videos/${id}/exports`, {}, carol), 429, "rate_limited")
    assert.strictEqual((await api.call("POST", "/api/exports/estimate", { videoId: id }, carol)).status, 200)
    // An hour later. The row says when, and Postgres' clock decides.
    await api.run(
      api.database.query("test", async (db) => {
        await db.execute(sql`alter table exports disable trigger user`)
        await db
          .update(exports_)
          .set({ createdAt: sql`now() - interval '61 minutes'` })
          .where(sql`user_id = 'carol'`)
        await db.execute(sql`alter table exports enable trigger user`)
      })
    )
    assert.strictEqual((await api.call("POST", "/api/exports", { videoId: id }, carol)).status, 202)
  })

  it("CORS is for those on the list", async () => {
    const preflight = async (origin: string) =>
      fetch(`${api.url}/api/exports`, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,idempotency-key"
        }
      })
    const allowed = await preflight("https://studio.example")
    assert.strictEqual(allowed.headers.get("access-control-allow-origin"), "https://studio.example")
    assert.include(allowed.headers.get("access-control-allow-headers") ?? "", "idempotency-key")
    assert.include(allowed.headers.get("access-control-allow-methods") ?? "", "PATCH")
    assert.isNull((await preflight("https://evil.example")).headers.get("access-control-allow-origin"))
    const answer = await api.call("GET", "/api/exports", undefined, { ...alice, origin: "https://b.example" })
    assert.strictEqual(answer.headers.get("access-control-allow-origin"), "https://b.example")
    assert.include(answer.headers.get("access-control-expose-headers") ?? "", "location")
    const error = await api.call("GET", "/api/exports", undefined, { origin: "https://b.example" })
    assert.strictEqual(error.headers.get("access-control-allow-origin"), "https://b.example")
    assert.isNull(
      (await api.call("GET", "/api/exports", undefined, { ...alice, origin: "https://evil.example" })).headers.get(
        "access-control-allow-origin"
      )
    )
  })

  it("an unknown field is named to whoever may ask", async () => {
    assert.deepStrictEqual(
      fieldsOf(isProblem(await api.call("POST", "/api/projects", { name: "x", colour: 1 }, alice), 400, "validation")),
      ["colour"]
    )
  })
})

describe("metrics, where tokens are asked for", () => {
  it("are on a port of their own, and only there", async () => {
    const port = String(await freePort())
    const api = await startApi({ env: { ...JWT, REELAY_METRICS_PORT: port, REELAY_METRICS_HOST: "127.0.0.1" } })
    try {
      isProblem(await api.call("GET", "/metrics"), 404, "not_found")
      const scraped = await fetch(`http://127.0.0.1:${port}/metrics`)
      assert.match(await scraped.text(), /^reelay_http_requests_total\{/m)
      for (const path of ["/api/exports", "/health/live", "/docs"]) {
        assert.strictEqual((await fetch(`http://127.0.0.1:${port}${path}`)).status, 404, path)
      }
    } finally {
      await api.close()
    }
  })
  it("are nowhere without that port", async () => {
    const api = await startApi({ env: JWT })
    try {
      isProblem(
        await api.call("GET", "/metrics", undefined, await bearer("root", { role: "operator" })),
        404,
        "not_found"
      )
    } finally {
      await api.close()
    }
  })
})

describe("REELAY_AUTH=local", () => {
  let api: ApiUnderTest
  beforeAll(async () => {
    api = await startApi()
  })
  afterAll(() => api.close())

  /** fetch would not send these headers. */
  const ask = (path: string, headers: Record<string, string>, method = "GET") =>
    new Promise<{ readonly status: number | undefined; readonly headers: Record<string, unknown> }>((done, failed) => {
      request(api.url + path, { method, headers }, (response) => {
        response.resume()
        done({ status: response.statusCode, headers: response.headers })
      })
        .on("error", failed)
        .end()
    })

  it("nobody else's name, nobody else's page", async () => {
    const { host, port } = new URL(api.url)
    for (const name of [host, `localhost:${port}`, `[::1]:${port}`])
      assert.strictEqual((await ask("/api/exports", { host: name })).status, 200)
    for (const name of ["evil.example", `evil.example:${port}`, `127.0.0.1.evil.example:${port}`]) {
      assert.strictEqual((await ask("/api/exports", { host: name })).status, 403, name)
    }
    assert.strictEqual((await ask("/api/exports", { origin: api.url })).status, 200)
    for (const origin of ["https://evil.example", "null", `http://localhost:${port}`, "http://127.0.0.1:1"]) {
      for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
        const answer = await ask("/api/exports", { origin }, method)
        assert.strictEqual(answer.status, 403, `${method} ${origin}`)
        assert.isUndefined(answer.headers["access-control-allow-origin"])
      }
    }
    for (const path of ["/health/live", "/docs", "/openapi.json", "/metrics", "/"]) {
      assert.strictEqual((await ask(path, { host: "evil.example" })).status, 403)
    }
  })

  it("without a token: the local user, who is an operator; a wrong token is still wrong", async () => {
    assert.deepStrictEqual((await api.call("GET", "/api/queue")).body, { paused: false })
    isProblem(
      await api.call("GET", "/api/exports", undefined, { authorization: "Bearer nonsense" }),
      401,
      "unauthorized"
    )
    isProblem(await api.call("GET", "/api/exports", undefined, { authorization: "Basic YTpi" }), 401, "unauthorized")
  })

  it("no limit of exports, so nothing is said of one", async () => {
    const answer = await api.call("POST", "/api/exports", {})
    assert.isNull(answer.headers.get("ratelimit"))
  })

  it("listens to this machine only", async () => {
    const refused = await startApi({ env: { REELAY_HOST: "0.0.0.0" } }).then(
      () => "started",
      (error: unknown) => String(error)
    )
    assert.include(refused, "AuthError")
  })
})
