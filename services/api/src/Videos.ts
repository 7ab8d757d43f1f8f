import { UserId } from "@reelay/contracts/Ids"
import type { VideoId } from "@reelay/contracts/Ids"
import type { Video } from "@reelay/contracts/Media"
import * as Keys from "@reelay/contracts/ObjectKeys"
import { type Conflict, NotFound } from "@reelay/contracts/Problem"
import type { Validation } from "@reelay/contracts/Problem"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { locationOf, mediaOf, videoOf } from "@reelay/platform/Rows"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { clips, videos } from "@reelay/platform/Tables"
import { and, count, desc, eq, lt } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { decodeCursor, pageOf } from "./Cursor.ts"
import { contentTypeOfContainer } from "./MediaFiles.ts"
import type { MediaFile } from "./MediaFiles.ts"
import { mediaSigner } from "./MediaUrls.ts"
import { isExportNeeding, orProblem, type Verdict } from "./Removal.ts"
import type { Trouble } from "./Trouble.ts"

export interface PageRequest {
  readonly limit: number
  readonly cursor: string | undefined
}

export interface PageOf<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
  readonly total: number
}

/** Sources that are there. How they come in is VideoIntake's matter. */
export class Videos extends Context.Service<
  Videos,
  {
    /** Newest first. */
    list(owner: UserId, page: PageRequest): Effect.Effect<PageOf<Video>, Validation | Trouble>
    get(owner: UserId, id: VideoId): Effect.Effect<Video, NotFound | Trouble>
    /** Conflict while a clip uses it or an export that is not over needs it. Footage by reference is left where it lies. */
    remove(owner: UserId, id: VideoId): Effect.Effect<void, NotFound | Conflict | Trouble>
    /** Where the bytes are. `owner` null: whoever asks was let in by a signed URL. */
    content(owner: UserId | null, id: VideoId): Effect.Effect<MediaFile, NotFound | Trouble>
    poster(owner: UserId | null, id: VideoId): Effect.Effect<MediaFile, NotFound | Trouble>
  }
>()("@reelay/api/Videos") {
  static readonly layer = Layer.effect(
    Videos,
    Effect.gen(function* () {
      const database = yield* Database
      const store = yield* ObjectStore
      const urls = yield* SignedUrl
      const signer = mediaSigner.pipe(Effect.provideService(SignedUrl, urls))

      const find = Effect.fnUntraced(function* (owner: UserId | null, id: VideoId) {
        const [row] = yield* database.query("videos.get", (db) =>
          db
            .select()
            .from(videos)
            .where(and(eq(videos.id, id), owner === null ? undefined : eq(videos.userId, owner)))
        )
        return row ?? (yield* new NotFound({ detail: "There is no such video." }))
      })

      return Videos.of({
        list: Effect.fn("Videos.list")(function* (owner, page) {
          const after = yield* decodeCursor("videos", page.cursor)
          const mine = eq(videos.userId, owner)
          const [rows, total] = yield* database.query("videos.list", (db) =>
            Promise.all([
              db
                .select()
                .from(videos)
                .where(and(mine, after === null ? undefined : lt(videos.id, after.id)))
                .orderBy(desc(videos.id))
                .limit(page.limit + 1),
              db.select({ total: count() }).from(videos).where(mine)
            ])
          )
          const sign = yield* signer
          const { items, nextCursor } = pageOf(rows, page.limit, "videos", (row) => ({ key: "", id: row.id }))
          return {
            items: yield* Effect.forEach(items, (row) => videoOf(row, sign)),
            nextCursor,
            total: total[0]?.total ?? 0
          }
        }),

        get: Effect.fn("Videos.get")(function* (owner, id) {
          const row = yield* find(owner, id)
          return yield* videoOf(row, yield* signer)
        }),

        remove: Effect.fn("Videos.remove")(function* (owner, id) {
          const verdict = yield* database.transaction("videos.remove", async (tx): Promise<Verdict> => {
            // Whoever is about to use it holds a share of this lock, so that one of the two sees the other.
            const [row] = await tx
              .select({ id: videos.id })
              .from(videos)
              .where(and(eq(videos.id, id), eq(videos.userId, owner)))
              .for("update")
            if (row === undefined) return "missing"
            const [clip] = await tx.select({ id: clips.id }).from(clips).where(eq(clips.videoId, id)).limit(1)
            if (clip !== undefined) return "clip"
            if (await isExportNeeding(tx, owner, { videoId: id })) return "export"
            await tx.delete(videos).where(eq(videos.id, id))
            return "removed"
          })
          yield* orProblem("video", verdict)
          // The row is the truth: what stays behind after a crash here belongs to nobody and is swept.
          return yield* store.removeAll(Keys.sourceFolder(owner, id))
        }),

        content: Effect.fn("Videos.content")(function* (owner, id) {
          const row = yield* find(owner, id)
          const [location, media] = yield* Effect.all([locationOf(row), mediaOf(row)])
          return {
            location,
            bytes: media.bytes,
            tag: row.sha256,
            contentType: contentTypeOfContainer(media.container),
            name: row.name
          }
        }),

        poster: Effect.fn("Videos.poster")(function* (owner, id) {
          const row = yield* find(owner, id)
          const key = Keys.sourcePoster(UserId.make(row.userId), id)
          const head = yield* store.head(key)
          if (head === null) return yield* new NotFound({ detail: "This video has no poster." })
          return {
            location: { _tag: "object", key },
            bytes: head.size,
            tag: `${row.sha256}-poster`,
            contentType: "image/jpeg",
            name: "poster.jpg"
          }
        })
      })
    })
  )
}
