import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { exportRequested } from "@reelay/contracts/messages/Messages"
import { ExportId } from "@reelay/contracts/Ids"
import { requestsConsumer } from "@reelay/contracts/messages/Topology"
import { Effect } from "effect"
import { access, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isProblem, itemsOf, NOBODY, record, until } from "./Answers.ts"
import { startApi } from "./ApiUnderTest.ts"
import type { ApiUnderTest } from "./ApiUnderTest.ts"
import { complete, fail, process } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"

describe("exports", () => {
  let api: ApiUnderTest
  let clips: TinyClips
  let file: string
  let videoId: string
  beforeAll(async () => {
    ;[api, clips] = await Promise.all([startApi(), TinyClips.make()])
    file = await clips.plain("holiday.mp4")
    videoId = (await api.upload(file)).id
  })
  afterAll(async () => {
    await api.close()
    await clips.remove()
  })

  it("accepts: 202, where it is, what was asked with its defaults, and the doorbell", async () => {
    const answer = await api.call("POST", "/api/exports", { videoId })
    assert.strictEqual(answer.status, 202)
    const body = record(answer.body)
    assert.strictEqual(answer.headers.get("location"), `/api/exports/${String(body["id"])}`)
    assert.deepInclude(body, {
      userId: "local",
      projectId: null,
      videoId,
      segments: null,
      type: "framing",
      delivery: "combined",
      priority: "normal",
      status: "pending",
      epoch: 0,
      frames: 50,
      duration: 2,
      outputs: [],
      error: null,
      warnings: [],
      startedAt: null,
      completedAt: null
    })
    assert.deepStrictEqual(record(body["settings"]), {
      resolution: "720p",
      format: "mp4",
      quality: "medium",
      mode: "balanced",
      aspect: "source",
      fit: "crop",
      frameRate: "source",
      codec: "auto",
      loudness: null
    })
    // What is answered is what is stored.
    assert.deepStrictEqual(record((await api.call("GET", `/api/exports/${String(body["id"])}`)).body), body)
    await api.run(api.bus.ensureConsumer(requestsConsumer))
    const heard = await api.run(
      Effect.gen(function* () {
        for (;;) {
          const delivery = yield* api.bus.pull(requestsConsumer, exportRequested, 5000)
          if (delivery === null) return null
          yield* delivery.ack
          if (delivery.body.exportId === body["id"]) return delivery.body
        }
      })
    )
    assert.strictEqual(heard?.userId, "local")
  })

  it("the frozen spec does not change with the project", async () => {
    const project = await api.project({ name: "Summer: the film", aspect: "16:9" })
    const clip = record(
      (await api.call("POST", `/api/projects/${project.id}/clips`, { videoId, timing: { start: 0.5, end: 1.5 } })).body
    )
    const made = await api.start({ projectId: project.id, settings: { resolution: "source", frameRate: 30 } })
    assert.strictEqual(made.frames, 30)
    assert.strictEqual(made.settings.aspect, "16:9")
    await api.call("PUT", `/api/projects/${project.id}/clips/${String(clip["id"])}`, { timing: { start: 0, end: 2 } })
    await api.call("DELETE", `/api/projects/${project.id}/clips/${String(clip["id"])}`)
    assert.strictEqual((await api.call("GET", `/api/exports/${made.id}`)).status, 200)
    isProblem(await api.call("POST", "/api/exports", { projectId: project.id }), 400, "no_clips")
    const row = record((await api.call("GET", `/api/exports/${made.id}`)).body)
    assert.strictEqual(row["frames"], 30)
  })

  it("settings read back as they were given, a rate as text or as a number", async () => {
    for (const frameRate of ["source", "30", "29.97", 30, 29.97]) {
      const made = record((await api.call("POST", "/api/exports", { videoId, settings: { frameRate } })).body)
      const read = record((await api.call("GET", `/api/exports/${String(made["id"])}`)).body)
      for (const { settings } of [made, read]) assert.strictEqual(record(settings)["frameRate"], frameRate)
    }
  })

  describe("Idempotency-Key", () => {
    it("the same request is the same export, whatever its spelling; another is refused", async () => {
      const first = await api.start({ videoId, settings: { quality: "high" } }, { "idempotency-key": "one" })
      const again = await api.start(
        { settings: { mode: "balanced", quality: "high" }, videoId },
        { "idempotency-key": "one" }
      )
      assert.strictEqual(again.id, first.id)
      isProblem(
        await api.call("POST", "/api/exports", { videoId }, { "idempotency-key": "one" }),
        422,
        "idempotency_mismatch"
      )
      assert.notStrictEqual((await api.start({ videoId, settings: { quality: "high" } })).id, first.id)
    })
    it("twenty at once are one", async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => api.start({ videoId, priority: "low" }, { "idempotency-key": "burst" }))
      )
      assert.strictEqual(new Set(answers.map((made) => made.id)).size, 1)
      const low = itemsOf(await api.call("GET", "/api/exports?limit=200")).filter((row) => row["priority"] === "low")
      assert.strictEqual(low.length, 1)
    })
    it("holds even when what was exported is gone", async () => {
      const project = await api.project({ name: "short-lived" })
      await api.call("POST", `/api/projects/${project.id}/clips`, { videoId })
      const made = await api.start({ projectId: project.id }, { "idempotency-key": "gone" })
      await api.call("DELETE", `/api/projects/${project.id}`)
      assert.strictEqual((await api.start({ projectId: project.id }, { "idempotency-key": "gone" })).id, made.id)
    })
  })

  it("a video's own address takes the same request", async () => {
    const answer = await api.call("POST", `/api/videos/${videoId}/exports`, { segments: [{ start: 0, end: 1 }] })
    assert.strictEqual(answer.status, 202)
    assert.deepInclude(record(answer.body), { videoId, frames: 25 })
    isProblem(
      await api.call("POST", `/api/videos/${videoId}/exports`, { videoId: "0198c9a0-0000-7000-8000-000000000001" }),
      400,
      "validation"
    )
  })

  it("estimates without making anything", async () => {
    const before = record((await api.call("GET", "/api/exports?limit=1")).body)["total"]
    const answer = record(
      (await api.call("POST", "/api/exports/estimate", { videoId, settings: { frameRate: 50 } })).body
    )
    assert.deepInclude(answer, { frames: 100, duration: 2, seconds: null, queuePosition: null })
    assert.isAbove(Number(answer["bytes"]), 10_000)
    assert.strictEqual(record((await api.call("GET", "/api/exports?limit=1")).body)["total"], before)
    isProblem(
      await api.call("POST", "/api/exports/estimate", { videoId, segments: [{ start: 5, end: 6 }] }),
      400,
      "invalid_segment"
    )
  })

  it("cancel: once, twice, and too late", async () => {
    const made = await api.start({ videoId })
    const cancelled = await api.call("POST", `/api/exports/${made.id}/cancel`)
    assert.strictEqual(cancelled.status, 202)
    assert.strictEqual(record(cancelled.body)["status"], "cancelled")
    assert.isNotNull(record(cancelled.body)["completedAt"])
    assert.strictEqual((await api.call("POST", `/api/exports/${made.id}/cancel`)).status, 202)
    const done = await api.start({ videoId })
    await complete(api, done, file)
    isProblem(await api.call("POST", `/api/exports/${done.id}/cancel`), 409, "conflict")
  })

  it("cancel is announced to whoever works on it", async () => {
    const made = await api.start({ videoId })
    await process(api, made)
    const { control } = await import("@reelay/contracts/messages/Messages")
    const { Stream } = await import("effect")
    const heard: Array<unknown> = []
    const hearing = api.run(
      api.bus.subscribe(control).pipe(
        Stream.tap((message) => Effect.sync(() => heard.push(message))),
        Stream.takeUntil((message) => message._tag === "Cancel" && message.exportId === made.id),
        Stream.runDrain
      )
    )
    // A subscription of core NATS has no acknowledgement: it is there when it hears what is said for that only.
    await until("the subscription", async () => {
      await api.run(api.bus.broadcast(control, { _tag: "Queue", v: 1, paused: false }))
      return heard.length > 0
    })
    assert.strictEqual((await api.call("POST", `/api/exports/${made.id}/cancel`)).status, 202)
    await hearing
    assert.deepInclude(heard.at(-1), { _tag: "Cancel", exportId: made.id })
  })

  it("retry: from failed and cancelled, not from the rest", async () => {
    const made = await api.start({ videoId })
    isProblem(await api.call("POST", `/api/exports/${made.id}/retry`), 409, "conflict")
    await fail(api, made)
    const failed = record((await api.call("GET", `/api/exports/${made.id}`)).body)
    assert.strictEqual(record(failed["error"])["code"], "render_error")
    const tried = itemsOf(await api.call("GET", `/api/exports/${made.id}/attempts`))
    assert.deepInclude(tried[0], { epoch: 1, kind: "internal", nodeId: "n1", log: "line of /a/path" })
    const again = await api.call("POST", `/api/exports/${made.id}/retry`)
    assert.strictEqual(again.status, 202)
    assert.deepInclude(record(again.body), { id: made.id, status: "pending", epoch: 1, error: null, startedAt: null })
    await api.call("POST", `/api/exports/${made.id}/cancel`)
    assert.strictEqual((await api.call("POST", `/api/exports/${made.id}/retry`)).status, 202)
  })

  it("retry of what cannot be made any more says so", async () => {
    const gone = await api.upload(await clips.plain("gone.mp4", { seconds: 1 }))
    const made = await api.start({ videoId: gone.id })
    isProblem(await api.call("DELETE", `/api/videos/${gone.id}`), 409, "conflict")
    await api.call("POST", `/api/exports/${made.id}/cancel`)
    assert.strictEqual((await api.call("DELETE", `/api/videos/${gone.id}`)).status, 204)
    isProblem(await api.call("POST", `/api/exports/${made.id}/retry`), 409, "video_not_found")
    assert.strictEqual(record((await api.call("GET", `/api/exports/${made.id}`)).body)["videoId"], null)
  })

  it("progress: told from the row when nothing is heard", async () => {
    const made = await api.start({ videoId })
    const progress = async () => record((await api.call("GET", `/api/exports/${made.id}/progress`)).body)
    assert.deepInclude(await progress(), {
      epoch: 0,
      status: "pending",
      percent: 0,
      stage: "queued",
      framesDone: 0,
      framesTotal: 50
    })
    await process(api, made)
    assert.deepInclude(await progress(), { epoch: 1, status: "processing", stage: "preparing" })
    await api.run(
      api.database
        .query("test", (db) =>
          db.execute(`update exports set status = 'failed', error = '{"a":1}' where id = '${made.id}'`)
        )
        .pipe(Effect.ignore)
    )
    const done = await api.start({ videoId })
    await complete(api, done, file)
    assert.deepInclude(record((await api.call("GET", `/api/exports/${done.id}/progress`)).body), {
      status: "completed",
      percent: 100,
      stage: "done",
      framesDone: 50,
      etaSeconds: 0
    })
  })

  it("progress: what waits is told its place in the queue as it is now", async () => {
    const made = await api.start({ videoId })
    const { exportProgress, queueOrder } = await import("@reelay/contracts/messages/Messages")
    const place = async (queuePosition: number, message: string) => {
      const waiting = [...Array.from({ length: queuePosition - 1 }, () => ExportId.make(NOBODY)), made.id]
      const progress = await until(`place ${queuePosition}`, async () => {
        await api.run(api.bus.broadcast(queueOrder, { v: 1, waiting }))
        const told = record((await api.call("GET", `/api/exports/${made.id}/progress`)).body)
        return told["queuePosition"] === queuePosition && told
      })
      assert.deepInclude(progress, { status: "pending", stage: "queued", percent: 0, message })
    }
    await place(3, "Number 3 in the queue")
    const say = async (message: string) => {
      await api.run(
        api.bus.broadcast(exportProgress, {
          v: 1,
          exportId: made.id,
          userId: made.userId,
          progress: {
            epoch: 0,
            status: "pending",
            percent: 0,
            stage: "queued",
            message,
            queuePosition: null,
            framesDone: 0,
            framesTotal: 50,
            speed: null,
            elapsedSeconds: 0,
            etaSeconds: null
          }
        })
      )
    }
    // The scheduler says only what stands in its way, and when that does no more.
    await say("Waiting for an encoder for av1")
    await until("what the scheduler said", async () => {
      const { progress } = record((await api.call("GET", `/api/exports/${made.id}`)).body)
      return progress !== null
    })
    await place(2, "Waiting for an encoder for av1")
    await say("Waiting")
    await until("that nothing does any more", async () => {
      const { progress } = record((await api.call("GET", `/api/exports/${made.id}`)).body)
      return record(progress)["message"] === "Number 2 in the queue"
    })
    await place(1, "Next in the queue")
  })

  it("progress: from NATS, of this epoch only", async () => {
    const made = await api.start({ videoId })
    await process(api, made)
    const { exportProgress } = await import("@reelay/contracts/messages/Messages")
    const progress = {
      epoch: 1,
      status: "processing",
      percent: 42,
      stage: "encoding",
      message: "Encoding",
      queuePosition: null,
      framesDone: 20,
      framesTotal: 50,
      speed: 1.5,
      elapsedSeconds: 3,
      etaSeconds: 4
    } as const
    const seen = (percent: number) =>
      until(`${percent} percent`, async () => {
        await api.run(
          api.bus.broadcast(exportProgress, {
            v: 1,
            exportId: made.id,
            userId: made.userId,
            progress: { ...progress, percent }
          })
        )
        return record((await api.call("GET", `/api/exports/${made.id}/progress`)).body)["percent"] === percent
      })
    await seen(42)
    await seen(60)
    assert.deepInclude(record(record((await api.call("GET", `/api/exports/${made.id}`)).body)["progress"]), {
      percent: 60,
      framesDone: 20
    })
    await api.call("POST", `/api/exports/${made.id}/cancel`)
    assert.isNull(record((await api.call("GET", `/api/exports/${made.id}`)).body)["progress"])
    assert.deepInclude(record((await api.call("GET", `/api/exports/${made.id}/progress`)).body), {
      status: "cancelled",
      percent: 60,
      framesDone: 20
    })
  })

  describe("a finished file", () => {
    it("download: a redirect, or the link; 409 before", async () => {
      const made = await api.start({ videoId })
      isProblem(await api.call("GET", `/api/exports/${made.id}/download`), 409, "not_completed")
      isProblem(await api.call("GET", `/api/exports/${made.id}/content`), 409, "not_completed")
      await complete(api, made, file)
      const redirect = await api.call("GET", `/api/exports/${made.id}/download`)
      assert.strictEqual(redirect.status, 302)
      const link = await api.call("GET", `/api/exports/${made.id}/download`, undefined, { accept: "application/json" })
      const { expiresAt, url } = record(link.body)
      assert.isBelow(Math.abs(Date.parse(String(expiresAt)) - Date.now() - 3_600_000), 60_000)
      for (const address of [redirect.headers.get("location"), url]) {
        const got = await fetch(api.url + String(address))
        assert.strictEqual(got.status, 200)
        assert.strictEqual(got.headers.get("content-type"), "video/mp4")
        assert.match(got.headers.get("content-disposition") ?? "", /^attachment; filename="/)
        assert.deepStrictEqual(Buffer.from(await got.arrayBuffer()), await readFile(file))
      }
      const poster = await fetch(`${api.url}/api/exports/${made.id}/poster`)
      assert.deepStrictEqual([poster.headers.get("content-type"), await poster.text()], ["image/jpeg", "a poster"])
    })

    it("as a source for more: no copy, once, and then it is kept", async () => {
      const made = await api.start({ videoId })
      isProblem(await api.call("POST", `/api/exports/${made.id}/video`), 409, "not_completed")
      await complete(api, made, file)
      const ask = () => api.call("POST", `/api/exports/${made.id}/video`)
      const folder = join(api.infra.store, "sources", "bG9jYWw")
      const before = (await readdir(folder)).length
      const answers = await Promise.all([ask(), ask(), ask()])
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [201, 201, 201]
      )
      const [video = {}] = answers.map(({ body }) => record(body))
      assert.isTrue(answers.every(({ body }) => record(body)["id"] === video["id"]))
      assert.strictEqual((await readdir(folder)).length, before + 1)
      assert.deepInclude(video, { frames: 50, width: 320, name: `${made.id}.mp4` })
      assert.strictEqual(record((await ask()).body)["id"], video["id"])
      await accessRefused(join(folder, String(video["id"]), "media"))
      const bytes = await (await fetch(api.url + String(video["contentUrl"]))).arrayBuffer()
      assert.deepStrictEqual(Buffer.from(bytes), await readFile(file))
      isProblem(await api.call("DELETE", `/api/exports/${made.id}`), 409, "conflict")
      const second = await api.start({ videoId: String(video["id"]) })
      assert.strictEqual(second.frames, 50)
      await api.call("POST", `/api/exports/${second.id}/cancel`)
      assert.strictEqual((await api.call("DELETE", `/api/videos/${String(video["id"])}`)).status, 204)
      assert.strictEqual((await api.call("DELETE", `/api/exports/${made.id}`)).status, 204)
    })

    it("a ZIP is no video", async () => {
      const made = await api.start({ videoId, delivery: "clips" })
      await complete(api, made, file)
      isProblem(await api.call("POST", `/api/exports/${made.id}/video`), 422, "unsupported_media")
    })

    it("delete: cancels what is active, takes row and files of what has ended", async () => {
      const made = await api.start({ videoId })
      const first = await api.call("DELETE", `/api/exports/${made.id}`)
      assert.deepStrictEqual([first.status, record(first.body)["status"]], [202, "cancelled"])
      assert.strictEqual((await api.call("DELETE", `/api/exports/${made.id}`)).status, 204)
      isProblem(await api.call("DELETE", `/api/exports/${made.id}`), 404, "not_found")
      const done = await api.start({ videoId })
      await complete(api, done, file)
      const folder = join(api.infra.store, "exports", "bG9jYWw", done.id)
      await access(folder)
      assert.strictEqual((await api.call("DELETE", `/api/exports/${done.id}`)).status, 204)
      await accessRefused(folder)
      assert.strictEqual((await api.call("GET", `/api/videos/${videoId}`)).status, 200)
    })
  })

  it("the plan, for operators", async () => {
    const made = await api.start({ videoId })
    isProblem(await api.call("GET", `/api/exports/${made.id}/plan`), 404, "not_found")
    await process(api, made)
    const plan = record((await api.call("GET", `/api/exports/${made.id}/plan`)).body)
    assert.strictEqual(plan["exportId"], made.id)
  })
})

const accessRefused = async (path: string) =>
  assert.isFalse(
    await access(path).then(
      () => true,
      () => false
    ),
    path
  )
