import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Export } from "@reelay/contracts/Export"
import { exports_ } from "@reelay/platform/Tables"
import { eq, sql } from "drizzle-orm"
import { encodeCursor } from "../src/Cursor.ts"
import { isProblem, itemsOf, NOBODY, record } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { complete, fail, process } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"

describe("lists of exports", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let videoId: string
  let projectId: string
  const made: Array<Export> = []
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi(), TinyClips.make()])
    const file = await clips.plain("long.mp4")
    const small = await clips.plain("short.mp4", { seconds: 1, silent: true })
    videoId = (await api.upload(file)).id
    projectId = (await api.project({ name: "p" })).id
    await api.call("POST", `/api/projects/${projectId}/clips`, { videoId })
    for (let i = 0; i < 4; i++) made.push(await api.start({ videoId }), await api.start({ projectId }))
    const [a, b, c, d, e] = made
    if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined) return
    await complete(api, a, file)
    await complete(api, b, small)
    await complete(api, c, small)
    await fail(api, d)
    await process(api, e)
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  const ids = () => made.map((row) => row.id)
  /** All pages, `limit` at a time. */
  const walk = async (query: string, limit: number) => {
    const rows: Array<Readonly<Record<string, unknown>>> = []
    let cursor: unknown = null
    let pages = 0
    do {
      const more = cursor === null ? "" : `&cursor=${encodeURIComponent(String(cursor))}`
      const answer = await api.call("GET", `/api/exports?limit=${limit}${query}${more}`)
      const items = itemsOf(answer)
      assert.isAtMost(items.length, limit)
      rows.push(...items)
      cursor = record(answer.body)["nextCursor"]
      if (++pages > 20) assert.fail("no end")
    } while (cursor !== null)
    return rows
  }
  const bytesOf = (row: Readonly<Record<string, unknown>>) => {
    const outputs = row["outputs"]
    return Array.isArray(outputs) ? outputs.reduce((sum: number, one) => sum + Number(record(one)["bytes"]), 0) : 0
  }

  it.each([1, 2, 3, 8, 200])("pages of %i: everything once, in every order", async (limit) => {
    assert.deepStrictEqual(
      (await walk("", limit)).map((row) => row["id"]),
      ids().toReversed()
    )
    assert.deepStrictEqual(
      (await walk("&sort=-createdAt", limit)).map((row) => row["id"]),
      ids().toReversed()
    )
    assert.deepStrictEqual(
      (await walk("&sort=createdAt", limit)).map((row) => row["id"]),
      ids()
    )
    const up = await walk("&sort=bytes", limit)
    assert.deepStrictEqual(
      up.map(bytesOf),
      up.map(bytesOf).toSorted((a, b) => a - b)
    )
    assert.sameMembers(
      up.map((row) => row["id"]),
      ids()
    )
    const down = await walk("&sort=-bytes", limit)
    assert.deepStrictEqual(down.map(bytesOf), up.map(bytesOf).toReversed())
    assert.sameMembers(
      down.map((row) => row["id"]),
      ids()
    )
    const order = ["pending", "processing", "completed", "failed", "cancelled"]
    const byStatus = (await walk("&sort=status", limit)).map((row) => order.indexOf(String(row["status"])))
    assert.deepStrictEqual(byStatus, [0, 0, 0, 1, 2, 2, 2, 3])
  })

  it("by when they were made, by Postgres' clock, whatever the ids say", async () => {
    // As two processes with different clocks make them, two of them at the same instant.
    const offset = [40, 10, 30, 30, 0, 20, 55, 50]
    const rewrite = (createdAt: ReadonlyArray<readonly [string, string]>) =>
      api.run(
        api.database.query("test", async (db) => {
          await db.execute(sql`alter table exports disable trigger user`)
          for (const [id, at] of createdAt) await db.update(exports_).set({ createdAt: at }).where(eq(exports_.id, id))
          await db.execute(sql`alter table exports enable trigger user`)
        })
      )
    const before = (await walk("", 100)).map((row) => [String(row["id"]), String(row["createdAt"])] as const)
    await rewrite(ids().map((id, n) => [id, `2026-01-01 00:00:${offset[n] ?? 0}.5+00`]))
    const [a, b, c, d, e, f, g, h] = ids()
    const inTime = [e, b, f, c, d, a, h, g]
    for (const limit of [1, 3, 100]) {
      const up = (await walk("&sort=createdAt", limit)).map((row) => row["id"])
      assert.deepStrictEqual(up, inTime)
      assert.deepStrictEqual(
        (await walk("&sort=-createdAt", limit)).map((row) => row["id"]),
        up.toReversed()
      )
    }
    await rewrite(before)
  })

  it("filters, and totals that are of them", async () => {
    const total = async (query: string) =>
      record((await api.call("GET", `/api/exports?limit=1&${query}`)).body)["total"]
    assert.strictEqual(await total(""), 8)
    assert.strictEqual(await total("status=completed"), 3)
    assert.strictEqual(await total("status=cancelled"), 0)
    assert.strictEqual(await total(`videoId=${videoId}`), 4)
    assert.strictEqual(await total(`projectId=${projectId}&status=pending`), 2)
    assert.strictEqual(await total("type=framing"), 8)
    assert.strictEqual(await total("type=overlay"), 0)
    assert.strictEqual(itemsOf(await api.call("GET", `/api/videos/${videoId}/exports?status=completed`)).length, 2)
    assert.strictEqual(itemsOf(await api.call("GET", `/api/projects/${projectId}/exports`)).length, 4)
    isProblem(await api.call("GET", `/api/videos/${videoId}/exports?videoId=${videoId}`), 400, "validation")
  })

  it("a cursor is of the order that it was given for", async () => {
    const cursor = String(record((await api.call("GET", "/api/exports?limit=2&sort=bytes")).body)["nextCursor"])
    isProblem(await api.call("GET", `/api/exports?sort=-bytes&cursor=${cursor}`), 400, "validation")
    // Nor can a key be what no row's is.
    for (const [sort, key] of [
      ["createdAt", ""],
      ["createdAt", "2026-02-30 00:00:00+00"],
      ["-createdAt", "now"],
      ["bytes", "many"],
      ["bytes", 1.5],
      ["status", "gone"]
    ] as const) {
      const made = encodeCursor(sort, { key, id: NOBODY })
      isProblem(await api.call("GET", `/api/exports?sort=${sort}&cursor=${made}`), 400, "validation")
    }
  })

  it("pages stay whole while exports come and go", async () => {
    const first = await api.call("GET", "/api/exports?limit=3")
    const extra = await api.start({ videoId })
    const rest = await walk(
      `&cursor=${String(record(first.body)["nextCursor"])}`.replace("&cursor", "&sort=-createdAt&cursor"),
      100
    )
    assert.deepStrictEqual(
      [...itemsOf(first), ...rest].map((row) => row["id"]),
      ids().toReversed()
    )
    await api.call("POST", `/api/exports/${extra.id}/cancel`)
    await api.call("DELETE", `/api/exports/${extra.id}`)
  })

  it("active and recent", async () => {
    assert.deepStrictEqual(
      itemsOf(await api.call("GET", "/api/exports/active")).map((row) => row["id"]),
      ids().slice(4)
    )
    assert.strictEqual(itemsOf(await api.call("GET", `/api/exports/active?projectId=${projectId}`)).length, 2)
    const recent = itemsOf(await api.call("GET", "/api/exports/recent"))
    assert.strictEqual(recent.length, 8)
    assert.strictEqual(recent[0]?.["id"], made[3]?.id)
    await api.run(
      api.database.query("test", async (db) => {
        await db.execute(sql`alter table exports disable trigger user`)
        await db
          .update(exports_)
          .set({ createdAt: sql`now() - interval '30 hours'`, completedAt: sql`now() - interval '25 hours'` })
          .where(eq(exports_.id, made[0]?.id ?? ""))
        await db.execute(sql`alter table exports enable trigger user`)
      })
    )
    assert.strictEqual(itemsOf(await api.call("GET", "/api/exports/recent")).length, 7)
    assert.strictEqual(itemsOf(await api.call("GET", "/api/exports/recent?hours=26")).length, 8)
    assert.strictEqual(itemsOf(await api.call("GET", `/api/exports/recent?hours=0.5&projectId=${projectId}`)).length, 4)
  })

  it("a row that this version cannot read spoils nobody's list", async () => {
    const listed = async (path: string) => itemsOf(await api.call("GET", path)).map((row) => row["id"])
    const paths = ["/api/exports?limit=200", "/api/exports/active", "/api/exports/recent?hours=48"]
    const before = await Promise.all(paths.map(listed))
    const id = made.at(-1)?.id ?? ""
    const settingsOf = (resolution: string) =>
      api.database.query("test", async (db) => {
        await db.execute(sql`alter table exports disable trigger user`)
        const settings = sql`jsonb_set(settings, '{resolution}', to_jsonb(${resolution}::text))`
        await db.update(exports_).set({ settings }).where(eq(exports_.id, id))
        await db.execute(sql`alter table exports enable trigger user`)
      })
    await api.run(settingsOf("8k"))
    assert.deepStrictEqual(
      await Promise.all(paths.map(listed)),
      before.map((ids) => ids.filter((other) => other !== id))
    )
    isProblem(await api.call("GET", `/api/exports/${id}`), 500, "internal")
    await api.run(settingsOf("720p"))
    assert.deepStrictEqual(await Promise.all(paths.map(listed)), before)
  })

  it("an estimate learns from what was made", async () => {
    const seconds = async () => record((await api.call("POST", "/api/exports/estimate", { videoId })).body)["seconds"]
    const learnt = record(await seconds())
    assert.isAtLeast(Number(learnt["p90"]), Number(learnt["p50"]))
    assert.isNull(
      record((await api.call("POST", "/api/exports/estimate", { videoId, settings: { resolution: "source" } })).body)[
        "seconds"
      ]
    )
  })
})
