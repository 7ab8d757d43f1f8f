import type { UserId } from "@reelay/contracts/Ids"
import { Digest, ImageId, newId, UserId as UserIdOf } from "@reelay/contracts/Ids"
import type { Image } from "@reelay/contracts/Media"
import * as Keys from "@reelay/contracts/ObjectKeys"
import { type Conflict, NotFound } from "@reelay/contracts/Problem"
import type { TooLarge, Unavailable, UnsupportedMedia, Validation } from "@reelay/contracts/Problem"
import { Database } from "@reelay/platform/Database"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { clipVersionHolds, imageOf } from "@reelay/platform/Rows"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { clips, clipVersions, images, projects } from "@reelay/platform/Tables"
import { and, count, desc, eq, lt, sql } from "drizzle-orm"
import { Context, Effect, Layer, Stream } from "effect"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { decodeCursor, pageOf } from "./Cursor.ts"
import { ImageIngest } from "./ingest/ImageIngest.ts"
import { IngestTurns } from "./ingest/IngestTurns.ts"
import type { MediaFile } from "./MediaFiles.ts"
import { mediaSigner } from "./MediaUrls.ts"
import { isExportNeeding, orProblem, type Verdict } from "./Removal.ts"
import type { Trouble } from "./Trouble.ts"
import { tooLarge } from "./VideoIntake.ts"
import type { PageOf, PageRequest } from "./Videos.ts"

/** Of one image, as it comes. */
export const MAX_IMAGE_BYTES = 64 * 1024 * 1024

/** Pictures that do not move, to be laid over others. What came is not kept, only what was made of it. */
export class Images extends Context.Service<
  Images,
  {
    upload<E>(
      owner: UserId,
      name: string,
      bytes: Stream.Stream<Uint8Array, E>
    ): Effect.Effect<Image, UnsupportedMedia | Unavailable | TooLarge | Trouble | E>
    /** Newest first. */
    list(owner: UserId, page: PageRequest): Effect.Effect<PageOf<Image>, Validation | Trouble>
    get(owner: UserId, id: ImageId): Effect.Effect<Image, NotFound | Trouble>
    /** Conflict while a clip shows it or an export that is not over needs it. */
    remove(owner: UserId, id: ImageId): Effect.Effect<void, NotFound | Conflict | Trouble>
    /** Where the bytes are. `owner` null: whoever asks was let in by a signed URL. */
    content(owner: UserId | null, id: ImageId): Effect.Effect<MediaFile, NotFound | Trouble>
  }
>()("@reelay/api/Images") {
  static readonly layer = Layer.effect(
    Images,
    Effect.gen(function* () {
      const database = yield* Database
      const store = yield* ObjectStore
      const ingest = yield* ImageIngest
      const turns = yield* IngestTurns
      const urls = yield* SignedUrl
      const signer = mediaSigner.pipe(Effect.provideService(SignedUrl, urls))

      const find = Effect.fnUntraced(function* (owner: UserId | null, id: ImageId) {
        const [row] = yield* database.query("images.get", (db) =>
          db
            .select()
            .from(images)
            .where(and(eq(images.id, id), owner === null ? undefined : eq(images.userId, owner)))
        )
        return row ?? (yield* new NotFound({ detail: "There is no such image." }))
      })

      /** The PNG in its place, and what its row will say. What came lies beside it only until then. */
      const prepare = Effect.fnUntraced(function* <E>(owner: UserId, id: ImageId, bytes: Stream.Stream<Uint8Array, E>) {
        const given = Keys.imageUpload(owner, id)
        let size = 0
        const counted = Stream.mapEffect(bytes, (chunk) =>
          Effect.suspend(() => {
            size += chunk.byteLength
            return size > MAX_IMAGE_BYTES ? Effect.fail(tooLarge(MAX_IMAGE_BYTES)) : Effect.succeed(chunk)
          })
        )
        yield* store.put(given, counted)
        const converted = Effect.gen(function* () {
          const target = join(yield* store.workspace, "image.png")
          const shape = yield* ingest.convert(yield* store.fetch(given), target)
          const made = yield* Effect.promise(() => readFile(target))
          yield* store.putFile(Keys.imageFile(owner, id), target)
          const sha256 = Digest.make(createHash("sha256").update(made).digest("hex"))
          return { ...shape, sha256, bytes: made.byteLength }
        })
        const image = yield* turns.inTurn(owner, Effect.scoped(converted))
        yield* store.remove(given)
        return image
      })

      return Images.of({
        upload: Effect.fn("Images.upload")(function* (owner, name, bytes) {
          const id = newId(ImageId)
          const takeOut = Effect.ignore(store.removeAll(Keys.imageFolder(owner, id)))
          // As of videos: the row is written last, and only what certainly has none is taken out again.
          const whole = Effect.uninterruptibleMask((restore) =>
            restore(prepare(owner, id, bytes)).pipe(
              Effect.onError(() => takeOut),
              Effect.flatMap((image) =>
                database
                  .query("images.insert", (db) =>
                    db
                      .insert(images)
                      .values({ id, userId: owner, name, ...image })
                      .returning()
                  )
                  .pipe(Effect.tapError((error) => (error.reason === "unavailable" ? Effect.void : takeOut)))
              )
            )
          )
          const [row] = yield* turns.admitted(owner, whole)
          return yield* imageOf(row ?? (yield* Effect.die("an image that was not inserted")), yield* signer)
        }),

        list: Effect.fn("Images.list")(function* (owner, page) {
          const after = yield* decodeCursor("images", page.cursor)
          const mine = eq(images.userId, owner)
          const [rows, total] = yield* database.query("images.list", (db) =>
            Promise.all([
              db
                .select()
                .from(images)
                .where(and(mine, after === null ? undefined : lt(images.id, after.id)))
                .orderBy(desc(images.id))
                .limit(page.limit + 1),
              db.select({ total: count() }).from(images).where(mine)
            ])
          )
          const sign = yield* signer
          const { items, nextCursor } = pageOf(rows, page.limit, "images", (row) => ({ key: "", id: row.id }))
          return {
            items: yield* Effect.forEach(items, (row) => imageOf(row, sign)),
            nextCursor,
            total: total[0]?.total ?? 0
          }
        }),

        get: Effect.fn("Images.get")(function* (owner, id) {
          return yield* imageOf(yield* find(owner, id), yield* signer)
        }),

        remove: Effect.fn("Images.remove")(function* (owner, id) {
          const named = JSON.stringify([{ imageId: id }])
          const verdict = yield* database.transaction("images.remove", async (tx): Promise<Verdict> => {
            // Whoever accepts an export that shows it holds a share of this lock.
            const [row] = await tx
              .select({ id: images.id })
              .from(images)
              .where(and(eq(images.id, id), eq(images.userId, owner)))
              .for("update")
            if (row === undefined) return "missing"
            const [clip] = await tx
              .select({ id: clips.id })
              .from(projects)
              .innerJoin(clips, eq(clips.projectId, projects.id))
              .innerJoin(clipVersions, clipVersionHolds)
              .where(and(eq(projects.userId, owner), sql`${clipVersions.edits} -> 'overlays' @> ${named}::jsonb`))
              .limit(1)
            if (clip !== undefined) return "clip"
            if (await isExportNeeding(tx, owner, { imageId: id })) return "export"
            await tx.delete(images).where(eq(images.id, id))
            return "removed"
          })
          yield* orProblem("image", verdict)
          // The row is the truth: what stays behind after a crash here belongs to nobody and is swept.
          return yield* store.removeAll(Keys.imageFolder(owner, id))
        }),

        content: Effect.fn("Images.content")(function* (owner, id) {
          const row = yield* find(owner, id)
          return {
            location: { _tag: "object", key: Keys.imageFile(UserIdOf.make(row.userId), id) },
            bytes: row.bytes,
            tag: row.sha256,
            contentType: "image/png",
            name: `${row.name.replace(/\.(?:png|jpe?g|webp)$/i, "")}.png`
          }
        })
      })
    })
  )
}
