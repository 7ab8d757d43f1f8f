import type { ClipChange, NewClip } from "@reelay/contracts/api/Projects"
import { CUT } from "@reelay/contracts/Edits"
import { EXPORT_LIMITS } from "@reelay/contracts/Export"
import { ClipId, newId } from "@reelay/contracts/Ids"
import type { ProjectId, UserId, VideoId } from "@reelay/contracts/Ids"
import { MediaInfo } from "@reelay/contracts/Media"
import {
  Conflict,
  InvalidSegment,
  NotFound,
  PreconditionFailed,
  Validation,
  VideoNotFound
} from "@reelay/contracts/Problem"
import { Clip } from "@reelay/contracts/Project"
import { secondsOf } from "@reelay/contracts/Quantity"
import { Database } from "@reelay/platform/Database"
import type { Transaction } from "@reelay/platform/Database"
import { clipColumns, clipOf, clipVersionHolds } from "@reelay/platform/Rows"
import type { ClipRow } from "@reelay/platform/Rows"
import { clips, clipVersions, projects, videos } from "@reelay/platform/Tables"
import { and, asc, count, eq, gt, ne, sql } from "drizzle-orm"
import { Context, Effect, Layer, Schema } from "effect"
import type { Trouble } from "./Trouble.ts"

/** `*` stands for whichever version holds. */
export type ExpectedVersion = number | "*" | null

/** Pieces of videos in a project, in order. Every change makes a version; earlier ones stay stored. */
export class Clips extends Context.Service<
  Clips,
  {
    /** Appended as the last. */
    add(
      owner: UserId,
      project: ProjectId,
      clip: NewClip
    ): Effect.Effect<Clip, NotFound | VideoNotFound | InvalidSegment | Validation | Trouble>
    /** The next version. `expected` is the version that the caller has seen; null: whichever. */
    update(
      owner: UserId,
      project: ProjectId,
      id: ClipId,
      change: ClipChange,
      expected: ExpectedVersion
    ): Effect.Effect<Clip, NotFound | InvalidSegment | PreconditionFailed | Validation | Trouble>
    remove(owner: UserId, project: ProjectId, id: ClipId): Effect.Effect<void, NotFound | Trouble>
    /** `order` names every clip of the project once. */
    reorder(
      owner: UserId,
      project: ProjectId,
      order: ReadonlyArray<ClipId>
    ): Effect.Effect<ReadonlyArray<Clip>, NotFound | Conflict | Validation | Trouble>
  }
>()("@reelay/api/Clips") {
  static readonly layer = Layer.effect(
    Clips,
    Effect.gen(function* () {
      const database = yield* Database

      /** The video that a project of the same owner is to use. */
      const videoFor = Effect.fnUntraced(function* (owner: UserId, project: ProjectId, id: VideoId) {
        const [[mine], [video]] = yield* database.query("clips.video", (db) =>
          Promise.all([
            db
              .select({ id: projects.id })
              .from(projects)
              .where(and(eq(projects.id, project), eq(projects.userId, owner))),
            db
              .select({ name: videos.name, media: videos.media })
              .from(videos)
              .where(and(eq(videos.id, id), eq(videos.userId, owner)))
          ])
        )
        if (mine === undefined) return yield* new NotFound({ detail: NO_PROJECT })
        return video ?? (yield* new VideoNotFound({ detail: "There is no such video." }))
      })

      return Clips.of({
        add: Effect.fn("Clips.add")(function* (owner, project, { videoId, ...edits }) {
          const video = yield* videoFor(owner, project, videoId)
          yield* checkTiming(edits, video.media)
          const id = newId(ClipId)
          const stored = encodeEdits({
            name: edits.name ?? video.name,
            timing: edits.timing ?? null,
            crop: edits.crop ?? null,
            speed: edits.speed ?? [],
            transition: edits.transition ?? CUT,
            overlays: edits.overlays ?? []
          })
          const rows = yield* database
            .transaction("clips.add", async (tx) => {
              if (!(await lockProject(tx, owner, project))) return []
              if (!(await hasRoom(tx, project, id, stored))) return "full" as const
              const [place] = await tx.select({ position: count() }).from(clips).where(eq(clips.projectId, project))
              await tx
                .insert(clips)
                .values({ id, userId: owner, projectId: project, videoId, position: place?.position ?? 0 })
              await tx.insert(clipVersions).values({ clipId: id, version: 1, userId: owner, edits: stored })
              return readClips(tx, project, id)
            })
            .pipe(
              Effect.catchIf(
                (error) => error.reason === "conflict" && error.constraint?.includes("video") === true,
                // Deleted in between: the row that the clip refers to is gone.
                () => Effect.fail(new VideoNotFound({ detail: "There is no such video." }))
              )
            )
          if (rows === "full") return yield* full()
          return yield* only(rows, NO_PROJECT)
        }),

        update: Effect.fn("Clips.update")(function* (owner, project, id, change, expected) {
          const [now] = yield* database.query("clips.get", (db) =>
            db
              .select({ videoId: clips.videoId, media: videos.media })
              .from(clips)
              .innerJoin(videos, eq(videos.id, clips.videoId))
              .where(and(eq(clips.id, id), eq(clips.projectId, project), eq(clips.userId, owner)))
          )
          if (now === undefined) return yield* new NotFound({ detail: NO_CLIP })
          yield* checkTiming(change, now.media)
          const rows = yield* database.transaction("clips.update", async (tx) => {
            if (!(await lockProject(tx, owner, project))) return []
            const [current] = await readClips(tx, project, id)
            if (current === undefined) return []
            if (typeof expected === "number" && expected !== current.version) return "changed" as const
            const edits = { ...current.edits, ...encodeChange(change) }
            if (!(await hasRoom(tx, project, id, edits))) return "full" as const
            const version = current.version + 1
            await tx.insert(clipVersions).values({ clipId: id, version, userId: owner, edits })
            await tx.update(clips).set({ version }).where(eq(clips.id, id))
            return readClips(tx, project, id)
          })
          if (rows === "changed")
            return yield* new PreconditionFailed({ detail: "The clip has another version by now." })
          if (rows === "full") return yield* full()
          return yield* only(rows, NO_CLIP)
        }),

        remove: Effect.fn("Clips.remove")(function* (owner, project, id) {
          const removed = yield* database.transaction("clips.remove", async (tx) => {
            if (!(await lockProject(tx, owner, project))) return false
            const [gone] = await tx
              .delete(clips)
              .where(and(eq(clips.id, id), eq(clips.projectId, project)))
              .returning({ position: clips.position })
            if (gone === undefined) return false
            await tx
              .update(clips)
              .set({ position: sql`${clips.position} - 1` })
              .where(and(eq(clips.projectId, project), gt(clips.position, gone.position)))
            return true
          })
          if (!removed) return yield* new NotFound({ detail: NO_CLIP })
        }),

        reorder: Effect.fn("Clips.reorder")(function* (owner, project, order) {
          if (new Set(order).size !== order.length) {
            const message = "names a clip twice"
            return yield* new Validation({ detail: `clipIds ${message}.`, errors: [{ field: "clipIds", message }] })
          }
          const rows = yield* database.transaction("clips.reorder", async (tx) => {
            if (!(await lockProject(tx, owner, project))) return "missing" as const
            const present = new Set((await readClips(tx, project)).map((clip) => clip.id))
            if (present.size !== order.length || order.some((id) => !present.has(id))) return "other" as const
            await tx
              .update(clips)
              .set({ position: sql`array_position(${`{${order.join(",")}}`}::uuid[], ${clips.id}) - 1` })
              .where(eq(clips.projectId, project))
            return readClips(tx, project)
          })
          if (rows === "missing") return yield* new NotFound({ detail: NO_PROJECT })
          if (rows === "other") return yield* new Conflict({ detail: "These are not the project's clips (any more)." })
          return yield* Effect.forEach(rows, clipOf)
        })
      })
    })
  )
}

const NO_PROJECT = "There is no such project."
const NO_CLIP = "There is no such clip."

/** Twice what an export may have of edits, as Postgres writes them: with spaces, and small numbers with all their digits. */
const MOST_BYTES = 2 * EXPORT_LIMITS.bytes
const full = () =>
  new Validation({
    detail: `A project has at most ${EXPORT_LIMITS.clips} clips, and ${MOST_BYTES / 1024 ** 2} MiB of edits.`
  })

type Edits = Pick<Clip, "name" | "timing" | "crop" | "speed" | "transition" | "overlays">
const EditFields = Schema.Struct({
  name: Clip.fields.name,
  timing: Clip.fields.timing,
  crop: Clip.fields.crop,
  speed: Clip.fields.speed,
  transition: Clip.fields.transition,
  overlays: Clip.fields.overlays
})
const encodeEdits: (edits: Edits) => typeof EditFields.Encoded = Schema.encodeSync(EditFields)

/** The encoding of clips' edits is their own shape, so what is left out of a change stays out. */
const encodeChange = (change: ClipChange): Partial<typeof EditFields.Encoded> => ({ ...change })

/** One writer a project: positions and versions are counted under its lock. Also moves `updatedAt`. */
const lockProject = async (tx: Transaction, owner: UserId, project: ProjectId): Promise<boolean> => {
  const rows = await tx
    .update(projects)
    .set({ id: project })
    .where(and(eq(projects.id, project), eq(projects.userId, owner)))
    .returning({ id: projects.id })
  return rows.length > 0
}

/** Whether the project, which is locked, may have these edits of that clip: it is read in one piece. */
const hasRoom = async (tx: Transaction, project: ProjectId, id: ClipId, edits: object): Promise<boolean> => {
  const [held] = await tx
    .select({
      others: count(),
      bytes: sql<string>`coalesce(sum(octet_length(${clipVersions.edits}::text)), 0)
        + octet_length(${JSON.stringify(edits)}::text::jsonb::text)`
    })
    .from(clips)
    .innerJoin(clipVersions, clipVersionHolds)
    .where(and(eq(clips.projectId, project), ne(clips.id, id)))
  return held !== undefined && held.others < EXPORT_LIMITS.clips && Number(held.bytes) <= MOST_BYTES
}

const readClips = (tx: Transaction, project: ProjectId, id?: ClipId): Promise<Array<ClipRow>> =>
  tx
    .select(clipColumns)
    .from(clips)
    .innerJoin(clipVersions, clipVersionHolds)
    .where(and(eq(clips.projectId, project), id === undefined ? undefined : eq(clips.id, id)))
    .orderBy(asc(clips.position), asc(clips.id))

const only = Effect.fnUntraced(function* (rows: ReadonlyArray<ClipRow>, missing: string) {
  const [row] = rows
  return yield* clipOf(row ?? (yield* new NotFound({ detail: missing })))
})

const checkTiming = Effect.fnUntraced(function* (edits: Pick<ClipChange, "timing">, stored: unknown) {
  const { timing } = edits
  if (timing === undefined || timing === null) return
  const { picture } = yield* Effect.orDie(Schema.decodeUnknownEffect(MediaInfo)(stored))
  if (Math.round(timing.end * 1e6) <= picture.duration) return
  const message = `is past the end of the video (${secondsOf(picture.duration)} s)`
  return yield* new InvalidSegment({
    detail: `The clip's end ${message}.`,
    errors: [{ field: "timing.end", message }]
  })
})
