import { Attempt, Export } from "@reelay/contracts/Export"
import type { Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { Image, MediaInfo, SourceLocation, Video } from "@reelay/contracts/Media"
import { Plan } from "@reelay/contracts/Plan"
import { Clip, Project } from "@reelay/contracts/Project"
import { secondsOf, toNumber } from "@reelay/contracts/Quantity"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import { missingGlyphsWarning, missingTogether } from "@reelay/contracts/Warning"
import { and, eq, getTableColumns } from "drizzle-orm"
import type { InferSelectModel } from "drizzle-orm"
import { Effect, Schema } from "effect"
import { clips, clipVersions, exports_, StoredOutput } from "./Tables.ts"
import type { attempts, images, projects, videos } from "./Tables.ts"

/** A row that does not say what its contract says: an old version, a bug, a hand in the database. */
export class RowError extends Schema.TaggedError<RowError>()("RowError", {
  table: Schema.String,
  id: Schema.String,
  cause: Schema.Defect()
}) {}

const decode = <S extends Schema.Constraint>(schema: S, table: string, id: string, encoded: unknown) =>
  Schema.decodeUnknownEffect(schema)(encoded).pipe(Effect.mapError((cause) => new RowError({ table, id, cause })))

/** Postgres' text of an instant (`2026-11-20 05:59:00.123456+00`) as RFC 3339. */
export const instantOf = (timestamp: string): string =>
  timestamp
    .replace(" ", "T")
    .replace(/([+-]\d\d)$/, "$1:00")
    .replace("+00:00", "Z")

const instantOrNull = (timestamp: string | null) => (timestamp === null ? null : instantOf(timestamp))

// What to select. A spec or a plan may be a megabyte: only who needs one asks for it.
const {
  spec: _spec,
  plan: _plan,
  requestDigest: _digest,
  idempotencyKey: _key,
  nodeLabels: _labels,
  ...lean
} = getTableColumns(exports_)

/** `select(exportColumns).from(exports_)`: what exportOf needs, and nothing large. */
export const exportColumns = lean
export type ExportRow = Pick<InferSelectModel<typeof exports_>, keyof typeof exportColumns>

/** `select(clipColumns).from(clips).innerJoin(clipVersions, clipVersionHolds)`. */
export const clipColumns = {
  id: clips.id,
  projectId: clips.projectId,
  videoId: clips.videoId,
  position: clips.position,
  version: clips.version,
  edits: clipVersions.edits
}
export const clipVersionHolds = and(eq(clipVersions.clipId, clips.id), eq(clipVersions.version, clips.version))
export type ClipRow = Pick<InferSelectModel<typeof clips>, "id" | "projectId" | "videoId" | "position" | "version">
  & Pick<InferSelectModel<typeof clipVersions>, "edits">

export type VideoRow = InferSelectModel<typeof videos>
export type ImageRow = InferSelectModel<typeof images>
export type ProjectRow = InferSelectModel<typeof projects>
export type AttemptRow = InferSelectModel<typeof attempts>

/** A video as clients see it. `sign` makes a path of the api one that needs no token. */
export const videoOf = Effect.fnUntraced(function* (row: VideoRow, sign: (path: string) => string) {
  const media = yield* mediaOf(row)
  return yield* decode(Video, "videos", row.id, {
    id: row.id,
    name: row.name,
    status: "ready",
    bytes: media.bytes,
    container: media.container,
    duration: secondsOf(media.picture.duration),
    frames: media.picture.frames,
    width: media.picture.width,
    height: media.picture.height,
    frameRate: toNumber(media.picture.frameRate),
    variableFrameRate: media.picture.variableFrameRate,
    videoCodec: media.picture.codec,
    audioCodec: media.sound?.codec ?? null,
    hasAudio: media.sound !== null,
    contentUrl: sign(`/api/videos/${row.id}/content`),
    posterUrl: sign(`/api/videos/${row.id}/poster`),
    createdAt: instantOf(row.createdAt)
  })
})

/** An image as clients see it; `sign` as above. */
export const imageOf = ({ bytes, createdAt, height, id, name, width }: ImageRow, sign: (path: string) => string) =>
  decode(Image, "images", id, {
    id,
    name,
    bytes,
    width,
    height,
    contentUrl: sign(`/api/images/${id}/content`),
    createdAt: instantOf(createdAt)
  })

export const mediaOf = (row: Pick<VideoRow, "id" | "media">) => decode(MediaInfo, "videos", row.id, row.media)
export const locationOf = (row: Pick<VideoRow, "id" | "location">) =>
  decode(SourceLocation, "videos", row.id, row.location)

const clipFields = ({ edits, ...row }: ClipRow) => ({ ...edits, ...row })
export const clipOf = (row: ClipRow) => decode(Clip, "clips", row.id, clipFields(row))

/** `clipRows` in order of position. */
export const projectOf = (
  row: ProjectRow,
  clipRows: ReadonlyArray<ClipRow>,
  exports: {
    readonly active: ExportId | null
    readonly latest: ExportId | null
  }
) =>
  decode(Project, "projects", row.id, {
    id: row.id,
    name: row.name,
    aspect: row.aspect,
    clips: clipRows.map(clipFields),
    activeExport: exports.active,
    latestExport: exports.latest,
    createdAt: instantOf(row.createdAt),
    updatedAt: instantOf(row.updatedAt)
  })

/** What Postgres does not know of an export: it is in memory, from NATS. */
export interface Live {
  readonly progress: Progress | null
  /** 1 is next. */
  readonly queuePosition: number | null
  /** Operators have paused the queue. */
  readonly paused: boolean
}
export const NOT_LIVE: Live = { progress: null, queuePosition: null, paused: false }

/**
 * An export as its owner sees it. Progress of an earlier epoch is left out, and so is a queue position once it left the
 * queue: the row is the truth.
 */
export const exportOf = (row: ExportRow, live: Live) =>
  decode(Export, "exports", row.id, {
    id: row.id,
    userId: row.userId,
    projectId: row.projectId,
    videoId: row.videoId,
    segments: row.segments,
    type: row.type,
    delivery: row.delivery,
    settings: row.settings,
    priority: row.priority,
    duration: secondsOf(row.durationMicros),
    frames: row.frames,
    epoch: row.epoch,
    status: row.status,
    queuePosition: row.status === "pending" ? live.queuePosition : null,
    ...(row.status === "pending" && live.paused ? { paused: true } : {}),
    progress: live.progress?.epoch === row.epoch && live.progress.status === row.status ? live.progress : null,
    encoder: row.encoder,
    outputs: row.outputs.map((stored) => stored.output),
    error: row.error,
    warnings: missingGlyphsWarning(missingTogether(row.outputs.map(({ missingGlyphs = "" }) => missingGlyphs))),
    createdAt: instantOf(row.createdAt),
    startedAt: instantOrNull(row.startedAt),
    updatedAt: instantOf(row.updatedAt),
    completedAt: instantOrNull(row.completedAt)
  })

/** Where the files of a completed export are, in the order of its `outputs`. */
export const outputsOf = (row: Pick<ExportRow, "id" | "outputs">) =>
  decode(Schema.Array(StoredOutput), "exports", row.id, row.outputs)

export const specOf = (row: { readonly id: string; readonly spec: unknown }) =>
  decode(RenderSpec, "exports", row.id, row.spec)

/**
 * Null before the export is planned. A stored plan has no spec of its own: twice the same would be half of what an export
 * writes. Those of earlier versions have one, which is the same.
 */
export const planOf = ({ id, plan, spec }: { readonly id: string; readonly plan: unknown; readonly spec: unknown }) =>
  decode(Schema.NullOr(Plan), "exports", id, typeof plan === "object" && plan !== null ? { spec, ...plan } : plan)

export const attemptOf = (row: AttemptRow) =>
  decode(Attempt, "attempts", row.id, {
    epoch: row.epoch,
    task: row.task,
    kind: row.kind,
    nodeId: row.nodeId,
    family: row.family,
    error: row.error,
    log: row.log,
    seconds: row.seconds,
    at: instantOf(row.createdAt)
  })
