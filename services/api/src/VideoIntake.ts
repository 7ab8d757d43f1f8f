import type { VideoReference } from "@reelay/contracts/api/Videos"
import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { Digest, newId, VideoId } from "@reelay/contracts/Ids"
import type { FrameIndex } from "@reelay/contracts/Media"
import { MediaInfo, SourceLocation } from "@reelay/contracts/Media"
import type { Video } from "@reelay/contracts/Media"
import * as Keys from "@reelay/contracts/ObjectKeys"
import { NotCompleted, NotFound, TooLarge, UnsupportedMedia } from "@reelay/contracts/Problem"
import type { Forbidden, Unavailable, Validation } from "@reelay/contracts/Problem"
import { Name } from "@reelay/contracts/Project"
import { Database } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { outputsOf, videoOf } from "@reelay/platform/Rows"
import type { VideoRow } from "@reelay/platform/Rows"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { exports_, videos } from "@reelay/platform/Tables"
import { and, eq } from "drizzle-orm"
import { Config, Context, Effect, Layer, Metric, Option, Schema, Stream } from "effect"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { Ingest } from "./ingest/Ingest.ts"
import { IngestTurns } from "./ingest/IngestTurns.ts"
import { MediaRoots } from "./MediaRoots.ts"
import { mediaSigner } from "./MediaUrls.ts"
import { RemoteMedia } from "./RemoteMedia.ts"
import type { Trouble } from "./Trouble.ts"

/** What its row will say of it. */
interface NewVideo {
  readonly id: VideoId
  readonly owner: UserId
  readonly name: string
  readonly sha256: Digest
  readonly location: SourceLocation
  readonly media: MediaInfo
  readonly fromExport: ExportId | null
}

/** NotFound: what it was to be made of is not there (any more). */
type IntakeError = NotFound | UnsupportedMedia | Unavailable | Trouble

/** As the schema would encode it, which takes eight times as long over an hour of frames while nobody else is served. */
const indexText = (index: typeof FrameIndex.Encoded): string => JSON.stringify(index)
const encodeMedia = Schema.encodeEffect(MediaInfo)
const encodeLocation = Schema.encodeEffect(SourceLocation)

/**
 * How a video comes to be one. Its row is written last, when bytes, frame index and poster are all in their places: a crash
 * anywhere before leaves objects that no row names (to be swept) and never half a video.
 */
export class VideoIntake extends Context.Service<
  VideoIntake,
  {
    /** Bytes go to the store as they come. When they stop coming, or are refused, nothing stays. */
    upload<E>(
      owner: UserId,
      name: string,
      bytes: Stream.Stream<Uint8Array, E>
    ): Effect.Effect<Video, IntakeError | TooLarge | E>
    /**
     * Footage used where it lies on a disk, or copied from a host: what a host serves may be other bytes tomorrow, and a frame
     * that was chosen today must be that frame then.
     */
    refer(
      owner: UserId,
      reference: VideoReference
    ): Effect.Effect<Video, IntakeError | Forbidden | TooLarge | Validation>
    /** The finished file of an export, once: asking again answers with the same video. No copy is made. */
    ofExport(owner: UserId, id: ExportId): Effect.Effect<Video, IntakeError | NotCompleted>
    readonly maxUploadBytes: number
  }
>()("@reelay/api/VideoIntake") {
  static readonly layer = Layer.effect(
    VideoIntake,
    Effect.gen(function* () {
      const database = yield* Database
      const store = yield* ObjectStore
      const ingest = yield* Ingest
      const turns = yield* IngestTurns
      const roots = yield* MediaRoots
      const remote = yield* RemoteMedia
      const urls = yield* SignedUrl
      const maxUploadBytes = yield* Config.schema(Bytes, "REELAY_MAX_UPLOAD_BYTES").pipe(
        Config.withDefault(DEFAULT_MAX_UPLOAD)
      )

      const describeNow = Effect.fnUntraced(function* (owner: UserId, id: VideoId, path: string) {
        const { index, media } = yield* ingest.examine(path)
        const folder = yield* store.workspace
        const poster = join(folder, "poster.jpg")
        yield* ingest.poster(path, media, poster)
        yield* store.putFile(Keys.sourcePoster(owner, id), poster)
        const bytes = new TextEncoder().encode(indexText(index))
        yield* store.put(Keys.sourceIndex(owner, id), Stream.make(bytes))
        return media
      }, Effect.scoped)
      /** Index and poster of a local file, put where they belong, when there is a turn. What stays in memory is small. */
      const describe = (owner: UserId, id: VideoId, path: string) => turns.inTurn(owner, describeNow(owner, id, path))

      const answer = (row: VideoRow) =>
        Effect.flatMap(Effect.provideService(mediaSigner, SignedUrl, urls), (sign) => videoOf(row, sign))

      const write = Effect.fnUntraced(function* (video: NewVideo) {
        const media = yield* Effect.orDie(encodeMedia(video.media))
        const location = yield* Effect.orDie(encodeLocation(video.location))
        const rows = yield* database.transaction("videos.insert", async (tx) => {
          if (video.fromExport !== null) {
            // Held against its deletion, which looks for videos that use it, and against whoever asks for the same.
            const held = await tx
              .select({ id: exports_.id })
              .from(exports_)
              .where(and(eq(exports_.id, video.fromExport), eq(exports_.status, "completed")))
              .for("no key update")
            if (held.length === 0) return []
            const made = await tx.select().from(videos).where(eq(videos.fromExport, video.fromExport)).limit(1)
            if (made.length > 0) return made
          }
          return tx
            .insert(videos)
            .values({
              id: video.id,
              userId: video.owner,
              name: video.name,
              sha256: video.sha256,
              location,
              indexKey: Keys.sourceIndex(video.owner, video.id),
              media,
              fromExport: video.fromExport
            })
            .returning()
        })
        return rows[0] ?? (yield* new NotFound({ detail: "The export is no longer there." }))
      })

      /**
       * An intake as a whole. `prepare` puts objects into the store, and they go again where it does not end well. From
       * then on it is not to be interrupted: only what certainly has no row is taken out; what is in doubt (a lost
       * connection) stays, for the video's sake or the sweeper's.
       */
      const intake = <E>(owner: UserId, id: VideoId, prepare: Effect.Effect<NewVideo, E>) => {
        const takeOut = Effect.ignore(store.removeAll(Keys.sourceFolder(owner, id)))
        const whole = Effect.uninterruptibleMask((restore) =>
          restore(prepare).pipe(
            Effect.onError(() => takeOut),
            Effect.flatMap((video) =>
              Effect.tapError(write(video), (error) => (isRefusal(error) ? takeOut : Effect.void))
            ),
            // Somebody was faster with the same: it is theirs that holds.
            Effect.tap((row) => (row.id === id ? Metric.update(added, 1) : takeOut))
          )
        )
        return Effect.flatMap(turns.admitted(owner, whole), answer)
      }

      const upload = Effect.fn("VideoIntake.upload")(function* <E>(
        owner: UserId,
        name: string,
        bytes: Stream.Stream<Uint8Array, E>
      ) {
        const id = newId(VideoId)
        const key = Keys.sourceMedia(owner, id)
        return yield* intake(
          owner,
          id,
          Effect.scoped(
            Effect.gen(function* () {
              const hash = createHash("sha256")
              let size = 0
              const counted = Stream.mapEffect(bytes, (chunk) =>
                Effect.suspend(() => {
                  size += chunk.byteLength
                  hash.update(chunk)
                  return size > maxUploadBytes ? Effect.fail(tooLarge(maxUploadBytes)) : Effect.succeed(chunk)
                })
              )
              yield* store.put(key, counted)
              const media = yield* describe(owner, id, yield* store.fetch(key))
              const sha256 = Digest.make(hash.digest("hex"))
              const location: SourceLocation = { _tag: "object", key }
              return { id, owner, name, sha256, location, media, fromExport: null }
            })
          )
        )
      })

      return VideoIntake.of({
        maxUploadBytes,
        upload,

        refer: Effect.fn("VideoIntake.refer")(function* (owner, reference) {
          if ("url" in reference) {
            const url = yield* remote.admit(reference.url)
            return yield* upload(owner, reference.name ?? nameIn(url), remote.read(url, maxUploadBytes))
          }
          const path = yield* roots.admit(reference.path)
          const id = newId(VideoId)
          const identity = Effect.tryPromise({
            try: () => stat(path).then((s) => ({ bytes: s.size, modifiedMillis: Math.floor(s.mtimeMs) })),
            catch: changed
          })
          return yield* intake(
            owner,
            id,
            Effect.gen(function* () {
              const before = yield* identity
              const media = yield* describe(owner, id, path)
              const sha256 = yield* digestOfFile(path)
              const after = yield* identity
              if (after.bytes !== before.bytes || after.modifiedMillis !== before.modifiedMillis) {
                return yield* changed()
              }
              const location: SourceLocation = { _tag: "file", path, ...after }
              const name = reference.name ?? basename(path).toWellFormed()
              return { id, owner, name, sha256, location, media, fromExport: null }
            })
          )
        }),

        ofExport: Effect.fn("VideoIntake.ofExport")(function* (owner, exportId) {
          const [row] = yield* database.query("exports.output", (db) =>
            db
              .select({
                id: exports_.id,
                status: exports_.status,
                delivery: exports_.delivery,
                outputs: exports_.outputs
              })
              .from(exports_)
              .where(and(eq(exports_.id, exportId), eq(exports_.userId, owner)))
          )
          if (row === undefined) return yield* new NotFound({ detail: "There is no such export." })
          if (row.status !== "completed") return yield* new NotCompleted({ detail: `The export is ${row.status}.` })
          if (row.delivery === "clips") return yield* new UnsupportedMedia({ detail: "A ZIP of files is no video." })
          const [made] = yield* database.query("videos.ofExport", (db) =>
            db
              .select()
              .from(videos)
              .where(and(eq(videos.fromExport, exportId), eq(videos.userId, owner)))
              .limit(1)
          )
          if (made !== undefined) return yield* answer(made)
          const [stored] = yield* outputsOf(row)
          if (stored === undefined) return yield* new NotFound({ detail: "The export has no file." })
          const id = newId(VideoId)
          return yield* intake(
            owner,
            id,
            Effect.scoped(
              Effect.gen(function* () {
                const media = yield* describe(owner, id, yield* store.fetch(stored.object))
                const location: SourceLocation = { _tag: "object", key: stored.object }
                const { name, sha256 } = stored.output
                return { id, owner, name, sha256: Digest.make(sha256), location, media, fromExport: exportId }
              })
            )
          )
        })
      })
    })
  )
}

const decodeName = Schema.decodeUnknownOption(Name)

/** What a URL seems to call its file. */
const nameIn = (url: URL): string => {
  const last = url.pathname.split("/").at(-1) ?? ""
  const decoded = Option.liftThrowable(decodeURIComponent)(last)
  return Option.flatMap(decoded, decodeName).pipe(Option.getOrElse(() => url.hostname))
}

const added = Metric.counter("reelay_videos_added_total", { description: "Videos whose row was written" })

const Bytes = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0))
const DEFAULT_MAX_UPLOAD = 50 * 1024 ** 3

export const tooLarge = (limit: number) => new TooLarge({ detail: `A file may have ${limit} bytes at most.` })

/** Postgres, or we, said no: there is no row. */
const isRefusal = (error: DatabaseError | NotFound): boolean =>
  error._tag === "NotFound" || error.reason !== "unavailable"

/** Footage by reference that is gone by now, or another. */
const changed = () => new UnsupportedMedia({ detail: "The file changed while it was read." })

const digestOfFile = (path: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const hash = createHash("sha256")
      await pipeline(createReadStream(path, { signal }), hash)
      return Digest.make(hash.digest("hex"))
    },
    catch: changed
  })
