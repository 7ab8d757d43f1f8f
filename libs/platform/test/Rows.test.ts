import { assert, describe, it, layer } from "@effect/vitest"
import { AttemptId, newId, UserId } from "@reelay/contracts/Ids"
import { Database } from "@reelay/platform/Database"
import * as Rows from "@reelay/platform/Rows"
import { attempts, clips, clipVersions, exports_, projects, videos } from "@reelay/platform/Tables"
import * as Fixtures from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq, sql } from "drizzle-orm"
import { DateTime, Effect, Layer } from "effect"
import * as fc from "fast-check"

const user = UserId.make("someone")
const sign = (path: string) => `${path}?signed`
const problem = {
  type: "urn:reelay:problem:render_error",
  title: "It could not be rendered",
  status: 500,
  detail: "because",
  code: "render_error"
} as const

describe("instants", () => {
  it("are RFC 3339, whatever the session's offset", () => {
    assert.strictEqual(Rows.instantOf("2026-11-20 05:59:00.123456+00"), "2026-11-20T05:59:00.123456Z")
    assert.strictEqual(Rows.instantOf("2026-11-20 05:59:00+05:30"), "2026-11-20T05:59:00+05:30")
    assert.strictEqual(Rows.instantOf("2026-11-20 05:59:00-08"), "2026-11-20T05:59:00-08:00")
  })
})

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })("rows", (it) => {
  it.effect("a video, with its paths signed", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const id = yield* database.query("video", (db) => Fixtures.insertVideo(db, user))
      const [row] = yield* database.query("row", (db) => db.select().from(videos).where(eq(videos.id, id)))
      assert.isDefined(row)
      const video = yield* Rows.videoOf(row, sign)
      assert.deepInclude(video, {
        id,
        name: "holiday.mp4",
        status: "ready",
        bytes: 123_456,
        duration: 10,
        frames: 250,
        frameRate: 25,
        audioCodec: "aac",
        hasAudio: true,
        contentUrl: `/api/videos/${id}/content?signed`,
        posterUrl: `/api/videos/${id}/poster?signed`
      })
      assert.approximately(DateTime.toEpochMillis(video.createdAt), Date.now(), 60_000)
      assert.deepStrictEqual(yield* Rows.locationOf(row), Fixtures.spec(user, id).sources[0]?.location)
      const silent = yield* Rows.videoOf({ ...row, media: { ...row.media, sound: null } }, sign)
      assert.deepInclude(silent, { audioCodec: null, hasAudio: false })
    })
  )

  it.effect("a project with its clips, each at the version that holds", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const { projectId, exportId } = yield* database.query("rows", async (db) => {
        const videoId = await Fixtures.insertVideo(db, user)
        const projectId = await Fixtures.insertProject(db, user)
        await Fixtures.insertClip(db, user, projectId, videoId, 1)
        await Fixtures.insertClip(db, user, projectId, videoId, 0)
        return { projectId, exportId: await Fixtures.insertExport(db, user, videoId, projectId) }
      })
      const [row] = yield* database.query("project", (db) =>
        db.select().from(projects).where(eq(projects.id, projectId))
      )
      const clipRows = yield* database.query("clips", (db) =>
        db
          .select(Rows.clipColumns)
          .from(clips)
          .innerJoin(clipVersions, Rows.clipVersionHolds)
          .where(eq(clips.projectId, projectId))
          .orderBy(clips.position)
      )
      assert.isDefined(row)
      const project = yield* Rows.projectOf(row, clipRows, { active: exportId, latest: exportId })
      assert.deepStrictEqual(
        project.clips.map(({ position, version, name }) => ({ position, version, name })),
        [
          { position: 0, version: 1, name: Fixtures.edits.name },
          { position: 1, version: 1, name: Fixtures.edits.name }
        ]
      )
      assert.deepInclude(project, { id: projectId, name: "summer", aspect: "source", activeExport: exportId })
      const [first] = clipRows
      assert.isDefined(first)
      assert.deepStrictEqual(yield* Rows.clipOf(first), project.clips[0])
    })
  )

  it.effect("an export through its life, with what is live added only where the row agrees", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const { id, videoId } = yield* database.query("rows", async (db) => {
        const videoId = await Fixtures.insertVideo(db, user)
        return { videoId, id: await Fixtures.insertExport(db, user, videoId) }
      })
      const row = database
        .query("row", (db) => db.select(Rows.exportColumns).from(exports_).where(eq(exports_.id, id)))
        .pipe(Effect.flatMap(([found]) => Effect.fromNullishOr(found)))
      const change = (values: Partial<typeof exports_.$inferInsert>) =>
        database.query("change", (db) => db.update(exports_).set(values).where(eq(exports_.id, id)))
      const progress = {
        epoch: 1,
        status: "processing",
        percent: 50,
        stage: "encoding",
        message: "",
        queuePosition: null,
        framesDone: 125,
        framesTotal: 250,
        speed: 2,
        elapsedSeconds: 3,
        etaSeconds: 3
      } as const

      const live = { progress, queuePosition: 3, paused: true }
      const pending = yield* Rows.exportOf(yield* row, live)
      assert.deepInclude(pending, { status: "pending", queuePosition: 3, progress: null, duration: 10, frames: 250 })
      assert.isTrue(pending.paused)
      assert.deepInclude(pending.settings, { resolution: "720p", quality: "medium" })
      assert.notProperty(yield* row, "spec")

      const spec = Fixtures.spec(user, videoId)
      const { spec: _spec, ...stored } = Fixtures.plan(id, spec)
      yield* change({ status: "processing", epoch: 1, plan: stored, encoder: "software" })
      const running = yield* Rows.exportOf(yield* row, live)
      assert.deepInclude(running, { status: "processing", queuePosition: null, progress, encoder: "software" })
      assert.notProperty(running, "paused")

      const [kept] = yield* database.query("kept", (db) =>
        db
          .select({ id: exports_.id, spec: exports_.spec, plan: exports_.plan })
          .from(exports_)
          .where(eq(exports_.id, id))
      )
      assert.isDefined(kept)
      assert.deepStrictEqual(yield* Rows.specOf(kept), spec)
      assert.deepStrictEqual(yield* Rows.planOf(kept), Fixtures.plan(id, spec))
      // As earlier versions wrote it: with the spec.
      assert.deepStrictEqual(yield* Rows.planOf({ ...kept, plan: Fixtures.plan(id, spec) }), Fixtures.plan(id, spec))
      assert.isNull(yield* Rows.planOf({ ...kept, plan: null }))

      yield* change({ status: "failed", error: problem })
      const failed = yield* Rows.exportOf(yield* row, live)
      assert.deepInclude(failed, { status: "failed", progress: null, error: problem })

      yield* change({ status: "pending" })
      yield* change({ status: "processing", epoch: 2, plan: Fixtures.plan(id, spec) })
      assert.isNull((yield* Rows.exportOf(yield* row, live)).progress)
      yield* change({ status: "completed", outputs: [Fixtures.output] })
      const completed = yield* Rows.exportOf(yield* row, Rows.NOT_LIVE)
      assert.deepInclude(completed, { status: "completed", outputs: [Fixtures.output.output], error: null, epoch: 2 })
      assert.isNotNull(completed.completedAt)
      assert.deepStrictEqual(yield* Rows.outputsOf(yield* row), [Fixtures.output])
    })
  )

  it.effect("an attempt", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const [row] = yield* database.query("attempt", async (db) => {
        const exportId = await Fixtures.insertExport(db, user, await Fixtures.insertVideo(db, user))
        return db
          .insert(attempts)
          .values({
            id: newId(AttemptId),
            exportId,
            userId: user,
            epoch: 1,
            task: "chunk",
            kind: "encoder",
            nodeId: "node-1",
            family: "nvenc",
            error: problem,
            log: "the end",
            seconds: 1.5
          })
          .returning()
      })
      assert.isDefined(row)
      assert.deepInclude(yield* Rows.attemptOf(row), { epoch: 1, family: "nvenc", error: problem, seconds: 1.5 })
    })
  )

  it.effect("a row that is not what it should be is an error, not a lie", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const id = yield* database.query("rows", async (db) =>
        Fixtures.insertExport(db, user, await Fixtures.insertVideo(db, user))
      )
      const [row] = yield* database.query("row", (db) => db.select().from(exports_).where(eq(exports_.id, id)))
      assert.isDefined(row)
      const broken = yield* Effect.all([
        Effect.flip(Rows.specOf({ id, spec: { ...row.spec, v: 2 } })),
        Effect.flip(Rows.planOf({ id, plan: {}, spec: null })),
        Effect.flip(Rows.exportOf({ ...row, delivery: "by hand" }, Rows.NOT_LIVE))
      ])
      for (const error of broken)
        assert.deepStrictEqual([error._tag, error.table, error.id], ["RowError", "exports", id])
    })
  )

  it.effect("JSON comes back as it went, encoded once", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const context = yield* Effect.context<Database>()
      // Postgres knows no U+0000, and half a surrogate pair is no text.
      const text = fc.string({ unit: "binary", maxLength: 40 }).filter((s) => !s.includes("\u0000") && s.isWellFormed())
      const property = fc.asyncProperty(
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e6 }),
        (name, start) =>
          Effect.gen(function* () {
            const edits = { ...Fixtures.edits, name, timing: { start, end: start + 1 } }
            const rows = yield* database.transaction("clip", async (tx) => {
              const clipId = await Fixtures.insertClip(
                tx,
                user,
                await Fixtures.insertProject(tx, user),
                await Fixtures.insertVideo(tx, user),
                0,
                edits
              )
              return tx
                .select({ edits: clipVersions.edits, type: sql<string>`jsonb_typeof(${clipVersions.edits})` })
                .from(clipVersions)
                .where(eq(clipVersions.clipId, clipId))
            })
            assert.deepStrictEqual(rows, [{ edits, type: "object" }])
          }).pipe(Effect.provideContext(context), Effect.runPromise)
      )
      yield* Effect.promise(() => fc.assert(property, { numRuns: 30 }))
    })
  )
})
