import { assert, layer } from "@effect/vitest"
import { newId, UserId, VideoId } from "@reelay/contracts/Ids"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import { clips, clipVersions, exports_, projects, videos } from "@reelay/platform/Tables"
import * as Fixtures from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq, sql } from "drizzle-orm"
import { Effect, Layer } from "effect"

const user = UserId.make("someone")

const project = Effect.gen(function* () {
  const database = yield* Database
  return yield* database.query("project", async (db) => {
    const videoId = await Fixtures.insertVideo(db, user)
    const projectId = await Fixtures.insertProject(db, user)
    return { videoId, projectId, clipId: await Fixtures.insertClip(db, user, projectId, videoId) }
  })
})

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })(
  "edits in Postgres",
  (it) => {
    it.effect("a clip's versions are added and kept as they were, until the clip goes", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { clipId, projectId } = yield* project
        const versions = () =>
          database.query("versions", (db) => db.select().from(clipVersions).where(eq(clipVersions.clipId, clipId)))
        const [first] = yield* versions()
        assert.isDefined(first)
        const refused = (name: string, run: Parameters<typeof database.query>[1]) =>
          database.query(name, run).pipe(
            Effect.flip,
            Effect.map((error) => error.constraint)
          )

        assert.strictEqual(
          yield* refused("change", (db) => db.update(clipVersions).set({ edits: { ...first.edits, name: "other" } })),
          "clip_versions_append_only"
        )
        assert.strictEqual(
          yield* refused("remove", (db) => db.delete(clipVersions).where(eq(clipVersions.clipId, clipId))),
          "clip_versions_append_only"
        )
        assert.strictEqual(
          yield* refused("skip", (db) => db.update(clips).set({ version: 3 }).where(eq(clips.id, clipId))),
          "clips_versions_rise"
        )
        assert.strictEqual(
          yield* refused("a version that is not there", (db) =>
            db.update(clips).set({ version: 2 }).where(eq(clips.id, clipId))
          ),
          "clips_current_version"
        )
        yield* database.transaction("next", async (tx) => {
          await tx.update(clips).set({ version: 2 }).where(eq(clips.id, clipId))
          await tx.insert(clipVersions).values({ ...first, version: 2, edits: { ...first.edits, name: "two" } })
        })
        assert.deepStrictEqual(
          (yield* versions()).map((row) => row.edits.name),
          [first.edits.name, "two"]
        )

        yield* database.query("delete", (db) => db.delete(projects).where(eq(projects.id, projectId)))
        assert.deepStrictEqual(yield* versions(), [])
      })
    )

    it.effect("a video that a clip shows stays; an export lets go of what is deleted", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { clipId, projectId, videoId } = yield* project
        const exportId = yield* database.query("export", (db) => Fixtures.insertExport(db, user, videoId, projectId))
        const kept = yield* Effect.flip(
          database.query("delete", (db) => db.delete(videos).where(eq(videos.id, videoId)))
        )
        assert.strictEqual(kept.reason, "conflict")
        yield* database.query("clip", (db) => db.delete(clips).where(eq(clips.id, clipId)))
        yield* database.query("project", (db) => db.delete(projects).where(eq(projects.id, projectId)))
        yield* database.query("video", (db) => db.delete(videos).where(eq(videos.id, videoId)))
        const [row] = yield* database.query("row", (db) => db.select().from(exports_).where(eq(exports_.id, exportId)))
        assert.deepStrictEqual([row?.projectId, row?.videoId, row?.status], [null, null, "pending"])
      })
    )

    it.effect("nobody's rows point at another's", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { projectId, videoId, clipId } = yield* project
        const other = UserId.make("another")
        const version = { clipId, version: 2, userId: other, edits: Fixtures.edits }
        const refusals = yield* Effect.forEach(
          [
            (db: Db) => Fixtures.insertClip(db, other, projectId, videoId),
            (db: Db) => Fixtures.insertExport(db, other, videoId),
            async (db: Db) => Fixtures.insertExport(db, other, await Fixtures.insertVideo(db, other), projectId),
            async (db: Db) => void (await db.insert(clipVersions).values(version))
          ],
          (insert) => Effect.flip(database.query("insert", async (db) => void (await insert(db))))
        )
        assert.deepStrictEqual(
          refusals.map((error) => error.reason),
          refusals.map(() => "conflict")
        )
      })
    )

    it.effect("a project's instant moves with it, by Postgres' clock", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { projectId } = yield* project
        const [changed] = yield* database.query("rename", (db) =>
          db
            .update(projects)
            .set({ name: "winter", updatedAt: "2001-01-01T00:00:00Z" })
            .where(eq(projects.id, projectId))
            .returning({ moved: sql<boolean>`updated_at > created_at` })
        )
        // To the microsecond: the two may be of one millisecond.
        assert.deepStrictEqual(changed, { moved: true })
      })
    )

    it.effect("JSON arrives as JSON", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const twice = yield* Effect.flip(
          database.query("twice", (db) =>
            db.insert(videos).values({
              id: newId(VideoId),
              userId: user,
              name: "x",
              sha256: Fixtures.digest,
              indexKey: "x",
              // What a driver that encodes JSON a second time would send.
              location: JSON.stringify({ _tag: "object", key: "x" }) as never,
              media: Fixtures.media
            })
          )
        )
        assert.strictEqual(twice.constraint, "videos_json")
      })
    )
  }
)
