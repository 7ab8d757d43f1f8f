import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { sql } from "drizzle-orm"
import { fieldsOf, isProblem, itemsOf, NOBODY, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { TinyClips } from "./TinyClips.ts"

describe("projects", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let videoId: string
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi(), TinyClips.make()])
    videoId = (await api.upload(await clips.plain("holiday.mp4"))).id
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })
  const add = async (project: string, edits: object = {}) => {
    const answer = await api.call("POST", `/api/projects/${project}/clips`, { videoId, ...edits })
    assert.strictEqual(answer.status, 201, JSON.stringify(answer.body))
    return record(answer.body)
  }
  const clipsOf = async (project: string) => {
    const all = record((await api.call("GET", `/api/projects/${project}`)).body)["clips"]
    return Array.isArray(all) ? all.map(record) : assert.fail("no clips")
  }

  it("made, changed, listed, gone", async () => {
    const answer = await api.call("POST", "/api/projects", { name: "Sommer ☀" })
    assert.strictEqual(answer.status, 201)
    const made = record(answer.body)
    const path = `/api/projects/${String(made["id"])}`
    assert.strictEqual(answer.headers.get("location"), path)
    assert.deepInclude(made, { name: "Sommer ☀", aspect: "source", clips: [], activeExport: null, latestExport: null })
    // Instants are told in milliseconds, and two requests may be of the same.
    await until("the next millisecond", async () => Date.now() > Date.parse(String(made["updatedAt"])))
    const changed = record((await api.call("PATCH", path, { aspect: "9:16" })).body)
    assert.deepInclude(changed, { name: "Sommer ☀", aspect: "9:16" })
    assert.isAbove(Date.parse(String(changed["updatedAt"])), Date.parse(String(made["updatedAt"])))
    assert.strictEqual((await api.call("PATCH", path, {})).status, 200)
    isProblem(await api.call("PATCH", path, { clips: [] }), 400, "validation")
    isProblem(await api.call("PATCH", path, { aspect: "2:1" }), 400, "validation")
    assert.isTrue(itemsOf(await api.call("GET", "/api/projects")).some((project) => project["id"] === made["id"]))
    assert.strictEqual((await api.call("DELETE", path)).status, 204)
    isProblem(await api.call("GET", path), 404, "not_found")
    isProblem(await api.call("DELETE", path), 404, "not_found")
    isProblem(await api.call("PATCH", path, { name: "x" }), 404, "not_found")
  })

  it("every edit that is promised is stored and read back", async () => {
    const project = await api.project({ name: "edits" })
    const keyframe = { time: 0.5, x: 0.1, y: 0.2, width: 0.5, height: 0.25 }
    const edits = {
      name: "first",
      timing: { start: 0.25, end: 1.75 },
      crop: { keyframes: [keyframe, { ...keyframe, time: 1 }] },
      speed: [{ start: 0.25, end: 1, rate: 0.5 }],
      transition: { type: "dissolve", duration: 0.5 },
      overlays: [
        { type: "captions", format: "srt", text: "1\n00:00:00,000 --> 00:00:01,000\nhello\n" },
        { type: "text", text: "Titel", start: 0, end: 1, x: 0.5, y: 0.5, size: 0.1, color: "#ff0000" },
        { type: "image", videoId, start: 0, end: 1, x: 0, y: 0, width: 0.2 },
        { type: "highlight", shape: "ellipse", keyframes: [keyframe] }
      ]
    }
    const clip = await add(project.id, edits)
    assert.deepInclude(clip, { ...edits, position: 0, version: 1, videoId, projectId: project.id })
    assert.deepStrictEqual(await clipsOf(project.id), [clip])
    const body = isProblem(
      await api.call("POST", "/api/exports", { projectId: project.id, type: "overlay" }),
      400,
      "validation"
    )
    assert.sameMembers([...fieldsOf(body)], ["clips[0].overlays[2]"])
  })

  it("edits that make no sense are refused with their field", async () => {
    const project = await api.project({ name: "wrong" })
    const wrong: ReadonlyArray<readonly [object, string]> = [
      [{ timing: { start: 1, end: 1 } }, "timing"],
      [{ timing: { start: -1, end: 1 } }, "timing.start"],
      [{ crop: { keyframes: [] } }, "crop.keyframes"],
      [{ crop: { keyframes: [{ time: 0, x: 0.8, y: 0, width: 0.5, height: 1 }] } }, "crop.keyframes[0]"],
      [{ speed: [{ start: 0, end: 1, rate: 9 }] }, "speed[0].rate"],
      [{ transition: { type: "wipe", duration: 1 } }, "transition.type"],
      [{ speed: [{ start: 0, end: 1e300, rate: 2 }] }, "speed[0].end"],
      [{ crop: { keyframes: [{ time: 1e300, x: 0, y: 0, width: 1, height: 1 }] } }, "crop.keyframes[0].time"],
      [
        { overlays: [{ type: "image", imageId: NOBODY, start: 1e300, end: 2e300, x: 0, y: 0, width: 1 }] },
        "overlays[0].start"
      ],
      [{ colour: "red" }, "colour"],
      [{ overlays: [{ type: "captions", format: "srt", text: "a\u0000" }] }, "overlays[0].text"]
    ]
    for (const [edits, field] of wrong) {
      const answer = await api.call("POST", `/api/projects/${project.id}/clips`, { videoId, ...edits })
      assert.include(fieldsOf(isProblem(answer, 400, "validation")), field)
    }
    for (const end of [2.1, 1e300]) {
      isProblem(
        await api.call("POST", `/api/projects/${project.id}/clips`, { videoId, timing: { start: 0, end } }),
        400,
        "invalid_segment"
      )
    }
    isProblem(await api.call("POST", `/api/projects/${project.id}/clips`, { videoId: NOBODY }), 409, "video_not_found")
    isProblem(await api.call("POST", `/api/projects/${NOBODY}/clips`, { videoId }), 404, "not_found")
    assert.isEmpty(await clipsOf(project.id))
  })

  it("each change is a version; the earlier ones stay; If-Match guards", async () => {
    const project = await api.project({ name: "versions" })
    const clip = await add(project.id, { name: "a" })
    const path = `/api/projects/${project.id}/clips/${String(clip["id"])}`
    const second = await api.call("PUT", path, { timing: { start: 0, end: 1 } }, { "if-match": `"1"` })
    assert.strictEqual(second.status, 200)
    assert.strictEqual(second.headers.get("etag"), `"2"`)
    assert.deepInclude(record(second.body), { version: 2, name: "a", timing: { start: 0, end: 1 } })
    isProblem(await api.call("PUT", path, { name: "b" }, { "if-match": `"1"` }), 412, "conflict")
    isProblem(await api.call("PUT", path, { name: "b" }, { "if-match": "yesterday" }), 400, "validation")
    assert.strictEqual(record((await api.call("PUT", path, { name: "b" }, { "if-match": "*" })).body)["version"], 3)
    assert.strictEqual(record((await api.call("PUT", path, { timing: null })).body)["version"], 4)
    isProblem(await api.call("PUT", path, { videoId }), 400, "validation")
    isProblem(await api.call("PUT", path, { timing: { start: 0, end: 9 } }), 400, "invalid_segment")
    isProblem(await api.call("PUT", `/api/projects/${project.id}/clips/${NOBODY}`, { name: "x" }), 404, "not_found")
    const kept = await api.run(
      api.database.query("test", (db) =>
        db.query.clipVersions.findMany({
          where: (row, { eq }) => eq(row.clipId, String(clip["id"])),
          orderBy: (row, { asc }) => asc(row.version)
        })
      )
    )
    assert.deepStrictEqual(
      kept.map((row) => [row.version, row.edits.name, row.edits.timing]),
      [
        [1, "a", null],
        [2, "a", { start: 0, end: 1 }],
        [3, "b", { start: 0, end: 1 }],
        [4, "b", null]
      ]
    )
  })

  it("changes at once are versions one after the other, and one of two guarded ones wins", async () => {
    const project = await api.project({ name: "together" })
    const clip = await add(project.id)
    const path = `/api/projects/${project.id}/clips/${String(clip["id"])}`
    const free = await Promise.all(Array.from({ length: 6 }, (_, n) => api.call("PUT", path, { name: `n${n}` })))
    assert.sameMembers(
      free.map((answer) => record(answer.body)["version"]),
      [2, 3, 4, 5, 6, 7]
    )
    const guarded = await Promise.all(
      [1, 2].map((n) => api.call("PUT", path, { name: `g${n}` }, { "if-match": `"7"` }))
    )
    assert.sameMembers(
      guarded.map((answer) => answer.status),
      [200, 412]
    )
  })

  it("order: as added, as asked, and closed up when one goes", async () => {
    const project = await api.project({ name: "order" })
    const made = await Promise.all(["a", "b", "c", "d"].map((name) => add(project.id, { name })))
    assert.sameMembers(
      made.map((clip) => clip["position"]),
      [0, 1, 2, 3]
    )
    const ids = made.toSorted((a, b) => Number(a["position"]) - Number(b["position"])).map((clip) => String(clip["id"]))
    const order = `/api/projects/${project.id}/clips/order`
    const reversed = itemsOf(await api.call("PUT", order, { clipIds: ids.toReversed() }))
    assert.deepStrictEqual(
      reversed.map((clip) => [clip["id"], clip["position"]]),
      ids.toReversed().map((id, n) => [id, n])
    )
    assert.deepStrictEqual(
      reversed.map((clip) => clip["version"]),
      [1, 1, 1, 1]
    )
    isProblem(await api.call("PUT", order, { clipIds: ids.slice(1) }), 409, "conflict")
    isProblem(await api.call("PUT", order, { clipIds: [...ids.slice(1), NOBODY] }), 409, "conflict")
    isProblem(await api.call("PUT", order, { clipIds: [...ids, ids[0]] }), 400, "validation")
    isProblem(await api.call("PUT", `/api/projects/${NOBODY}/clips/order`, { clipIds: [] }), 404, "not_found")
    assert.strictEqual((await api.call("DELETE", `/api/projects/${project.id}/clips/${String(ids[2])}`)).status, 204)
    isProblem(await api.call("DELETE", `/api/projects/${project.id}/clips/${String(ids[2])}`), 404, "not_found")
    assert.deepStrictEqual(
      (await clipsOf(project.id)).map((clip) => [clip["id"], clip["position"]]),
      [
        [ids[3], 0],
        [ids[1], 1],
        [ids[0], 2]
      ]
    )
  })

  /** Clips with the edits of this one and a name of so many characters. */
  const multiply = (clip: unknown, by: number, characters: number) =>
    api.run(
      api.database.query("test", (db) =>
        db.execute(sql`
          with made as (
            insert into clips (id, user_id, project_id, video_id, position)
            select gen_random_uuid(), user_id, project_id, video_id, n
            from clips, generate_series(1, ${by}::int) n where id = ${String(clip)} returning id, user_id
          )
          insert into clip_versions (clip_id, version, user_id, edits)
          select made.id, 1, made.user_id, jsonb_set(edits, '{overlays}', jsonb_build_array(jsonb_build_object(
            'type', 'captions', 'format', 'srt', 'text', repeat('x', ${characters}::int))))
          from made, clip_versions where clip_id = ${String(clip)}`)
      )
    )

  it("no more clips and edits are taken than can be read in one piece", async () => {
    const many = await api.project({ name: "many" })
    await multiply((await add(many.id))["id"], 998, 1)
    await add(many.id)
    const more = await api.call("POST", `/api/projects/${many.id}/clips`, { videoId })
    assert.match(String(isProblem(more, 400, "validation")["detail"]), /1000 clips/)

    const large = await api.project({ name: "large" })
    const clip = await add(large.id)
    await multiply(clip["id"], 8, 1_000_000)
    const path = `/api/projects/${large.id}/clips`
    const captions = { overlays: [{ type: "captions", format: "srt", text: "x".repeat(500_000) }] }
    for (const answer of [
      await api.call("POST", path, { videoId, ...captions }),
      await api.call("PUT", `${path}/${String(clip["id"])}`, captions),
      // Few characters of a request, and hundreds where they are stored.
      await api.call("POST", path, {
        videoId,
        crop: {
          keyframes: Array.from({ length: 2000 }, () => ({ time: 0, x: 5e-324, y: 0, width: 1, height: 1 }))
        }
      })
    ]) {
      assert.match(String(isProblem(answer, 400, "validation")["detail"]), /8 MiB/)
    }
    assert.strictEqual((await clipsOf(large.id)).length, 9)
    assert.deepInclude((await clipsOf(large.id))[0], { version: 1 })
    assert.strictEqual((await api.call("PUT", `${path}/${String(clip["id"])}`, { name: "small" })).status, 200)
    const refused = await api.call("POST", "/api/exports", { projectId: large.id })
    assert.match(String(isProblem(refused, 400, "validation")["detail"]), /4 MiB/)
  })

  it("a page of large ones ends early", async () => {
    const large: Array<string> = []
    for (const name of ["a", "b", "c", "d"]) {
      const project = await api.project({ name })
      await multiply((await add(project.id))["id"], 7, 1_000_000)
      large.unshift(project.id)
    }
    const listed: Array<unknown> = []
    for (let cursor = ""; listed.length < large.length;) {
      const page = await api.call("GET", `/api/projects?limit=4${cursor}`)
      const items = itemsOf(page)
      assert.isNotEmpty(items)
      assert.isBelow(JSON.stringify(page.body).length, 20_000_000)
      listed.push(...items.map((project) => project["id"]))
      cursor = `&cursor=${String(record(page.body)["nextCursor"])}`
    }
    assert.deepStrictEqual(listed.slice(0, large.length), large)
  })

  it("knows what was exported of it", async () => {
    const project = await api.project({ name: "exported" })
    await add(project.id, { timing: { start: 0, end: 1 } })
    await add(project.id)
    const first = await api.start({ projectId: project.id })
    assert.strictEqual(first.frames, 75)
    const second = await api.start({ projectId: project.id, delivery: "clips" })
    await api.call("POST", `/api/exports/${second.id}/cancel`)
    assert.deepInclude(record((await api.call("GET", `/api/projects/${project.id}`)).body), {
      activeExport: first.id,
      latestExport: second.id
    })
    assert.deepStrictEqual(
      itemsOf(await api.call("GET", `/api/projects/${project.id}/exports`)).map((row) => row["id"]),
      [second.id, first.id]
    )
    assert.deepStrictEqual(
      itemsOf(await api.call("GET", `/api/exports/active?projectId=${project.id}`)).map((row) => row["id"]),
      [first.id]
    )
    isProblem(await api.call("GET", `/api/projects/${NOBODY}/exports`), 404, "not_found")
    isProblem(
      await api.call("POST", "/api/exports", { projectId: project.id, segments: [{ start: 0, end: 1 }] }),
      400,
      "validation"
    )
    assert.strictEqual((await api.call("DELETE", `/api/projects/${project.id}`)).status, 204)
    assert.deepInclude(record((await api.call("GET", `/api/exports/${first.id}`)).body), {
      projectId: null,
      status: "pending"
    })
  })
})
