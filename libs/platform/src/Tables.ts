import type { Clip } from "@reelay/contracts/Project"
import { Output } from "@reelay/contracts/Export"
import type { ExportError, Segment, Settings } from "@reelay/contracts/Export"
import type { MediaInfo, SourceLocation } from "@reelay/contracts/Media"
import type { Plan } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { sql } from "drizzle-orm"
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid
} from "drizzle-orm/pg-core"
import { Schema } from "effect"

/**
 * The truth. Every row has its tenant (`user_id`), and points at rows of the same tenant only. JSON columns are typed as *encoded* contracts: readers decode them
 * with the contract's schema (Rows.ts), so that an old or broken row is an error and never a lie. Instants are Postgres'
 * (`now()`), read as text.
 *
 * What no check constraint can say is a trigger, in migrations/0001_transitions.sql: which status may follow which, that
 * an epoch rises exactly by one at each move to `processing`, what never changes. The same triggers set `started_at`,
 * `updated_at`, `completed_at` and `bytes`, and blank a row that goes back to `pending`.
 */
/** An Output and the object that holds it, with its poster's where it has one, and what is to be said of it. */
export const StoredOutput = Schema.Struct({
  output: Output,
  object: Schema.NonEmptyString,
  poster: Schema.NullOr(Schema.NonEmptyString),
  /** As in its manifest. */
  missingGlyphs: Schema.optionalKey(Schema.String)
})
export type StoredOutput = typeof StoredOutput.Type

/** A plan as its row has it. Earlier versions wrote the spec into it once more. */
export type StoredPlan = Omit<typeof Plan.Encoded, "spec"> & Partial<Pick<typeof Plan.Encoded, "spec">>

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "string" })
const createdAt = instant("created_at").notNull().defaultNow()

export const exportStatus = pgEnum("export_status", ["pending", "processing", "completed", "failed", "cancelled"])

export const videos = pgTable(
  "videos",
  {
    id: uuid("id").primaryKey(),
    userId: text("user_id").notNull(),
    name: text("name").notNull(),
    sha256: text("sha256").notNull(),
    location: jsonb("location").$type<typeof SourceLocation.Encoded>().notNull(),
    indexKey: text("index_key").notNull(),
    media: jsonb("media").$type<typeof MediaInfo.Encoded>().notNull(),
    /** The export whose finished file this is, where it is one (no copy is made). */
    fromExport: uuid("from_export"),
    createdAt
  },
  (t) => [
    // Ascending: read backwards it is newest first. (`desc()` would make it DESC NULLS LAST, which serves no plain DESC.)
    index("videos_by_user").on(t.userId, t.id),
    unique("videos_tenant").on(t.id, t.userId),
    // An export whose file is a video's is not deleted.
    index("videos_by_export")
      .on(t.fromExport)
      .where(sql`${t.fromExport} is not null`),
    check("videos_json", sql`jsonb_typeof(${t.location}) = 'object' and jsonb_typeof(${t.media}) = 'object'`),
    check("videos_sha256", sql`${t.sha256} ~ '^[0-9a-f]{64}$'`),
    check("videos_user", sql`${t.userId} <> ''`)
  ]
)

export const images = pgTable(
  "images",
  {
    id: uuid("id").primaryKey(),
    userId: text("user_id").notNull(),
    name: text("name").notNull(),
    /** Of what is kept of it, as the rest. */
    sha256: text("sha256").notNull(),
    bytes: bigint("bytes", { mode: "number" }).notNull(),
    width: integer("width").notNull(),
    height: integer("height").notNull(),
    createdAt
  },
  (t) => [
    index("images_by_user").on(t.userId, t.id),
    check("images_sha256", sql`${t.sha256} ~ '^[0-9a-f]{64}$'`),
    check("images_size", sql`${t.bytes} > 0 and ${t.width} > 0 and ${t.height} > 0`),
    check("images_user", sql`${t.userId} <> ''`)
  ]
)

export const projects = pgTable(
  "projects",
  {
    id: uuid("id").primaryKey(),
    userId: text("user_id").notNull(),
    name: text("name").notNull(),
    aspect: text("aspect").notNull().default("source"),
    createdAt,
    updatedAt: instant("updated_at").notNull().defaultNow()
  },
  (t) => [
    index("projects_by_user").on(t.userId, t.id),
    unique("projects_tenant").on(t.id, t.userId),
    check("projects_aspect", sql`${t.aspect} in ('source', '16:9', '9:16', '1:1', '4:5')`),
    check("projects_user", sql`${t.userId} <> ''`)
  ]
)

type ClipEdits = Pick<typeof Clip.Encoded, "name" | "timing" | "crop" | "speed" | "transition" | "overlays">

/** Where a clip is and which of its versions holds. */
export const clips = pgTable(
  "clips",
  {
    id: uuid("id").primaryKey(),
    userId: text("user_id").notNull(),
    projectId: uuid("project_id").notNull(),
    videoId: uuid("video_id").notNull(),
    position: integer("position").notNull(),
    version: integer("version").notNull().default(1),
    createdAt
  },
  (t) => [
    index("clips_by_project").on(t.projectId, t.position, t.id),
    index("clips_by_video").on(t.videoId),
    unique("clips_tenant").on(t.id, t.userId),
    foreignKey({
      columns: [t.projectId, t.userId],
      foreignColumns: [projects.id, projects.userId],
      name: "clips_project"
    }).onDelete("cascade"),
    foreignKey({ columns: [t.videoId, t.userId], foreignColumns: [videos.id, videos.userId], name: "clips_video" }),
    check("clips_position", sql`${t.position} >= 0`),
    check("clips_version", sql`${t.version} >= 1`)
  ]
)

/** Every version of a clip's edits that ever was. Rows are added, never changed. */
export const clipVersions = pgTable(
  "clip_versions",
  {
    clipId: uuid("clip_id").notNull(),
    version: integer("version").notNull(),
    userId: text("user_id").notNull(),
    edits: jsonb("edits").$type<ClipEdits>().notNull(),
    createdAt
  },
  (t) => [
    primaryKey({ columns: [t.clipId, t.version] }),
    check("clip_versions_json", sql`jsonb_typeof(${t.edits}) = 'object'`),
    foreignKey({
      columns: [t.clipId, t.userId],
      foreignColumns: [clips.id, clips.userId],
      name: "clip_versions_clip"
    }).onDelete("cascade")
  ]
)

export const exports_ = pgTable(
  "exports",
  {
    id: uuid("id").primaryKey(),
    userId: text("user_id").notNull(),
    projectId: uuid("project_id").references(() => projects.id, { onDelete: "set null" }),
    videoId: uuid("video_id").references(() => videos.id, { onDelete: "set null" }),
    /** The request as decoded, defaults filled in (segments … nodeLabels). Idempotency-Key compares `requestDigest`. */
    segments: jsonb("segments").$type<ReadonlyArray<typeof Segment.Encoded>>(),
    type: text("type").notNull(),
    delivery: text("delivery").notNull(),
    settings: jsonb("settings").$type<typeof Settings.Encoded>().notNull(),
    priority: text("priority").notNull().default("normal"),
    nodeLabels: jsonb("node_labels").$type<ReadonlyArray<string>>().notNull().default([]),
    idempotencyKey: text("idempotency_key"),
    requestDigest: text("request_digest").notNull(),
    spec: jsonb("spec").$type<typeof RenderSpec.Encoded>().notNull(),
    frames: bigint("frames", { mode: "number" }).notNull(),
    durationMicros: bigint("duration_micros", { mode: "number" }).notNull(),
    epoch: integer("epoch").notNull().default(0),
    status: exportStatus("status").notNull().default("pending"),
    encoder: text("encoder"),
    /** Without the spec, which is the row's already (Rows.ts puts them together). */
    plan: jsonb("plan").$type<StoredPlan>(),
    outputs: jsonb("outputs").$type<ReadonlyArray<typeof StoredOutput.Encoded>>().notNull().default([]),
    /** All outputs together; set by the trigger. */
    bytes: bigint("bytes", { mode: "number" }).notNull().default(0),
    error: jsonb("error").$type<typeof ExportError.Encoded>(),
    createdAt,
    startedAt: instant("started_at"),
    updatedAt: instant("updated_at").notNull().defaultNow(),
    completedAt: instant("completed_at")
  },
  (t) => [
    uniqueIndex("exports_idempotency").on(t.userId, t.idempotencyKey),
    // Lists, newest first; how many were accepted within the hour.
    index("exports_by_user").on(t.userId, t.createdAt, t.id),
    unique("exports_tenant").on(t.id, t.userId),
    // Each of an export's three writes is one to every index that it is in: these have only what is looked for in them.
    index("exports_by_project")
      .on(t.projectId, t.id)
      .where(sql`${t.projectId} is not null`),
    index("exports_by_video")
      .on(t.videoId, t.id)
      .where(sql`${t.videoId} is not null`),
    // "What changed since": the socket's resumption, and the page that was closed for a day.
    index("exports_by_change").on(t.userId, t.updatedAt),
    // The reconciler's look: few rows are active, however many ever were.
    index("exports_active")
      .on(t.status, t.id)
      .where(sql`${t.status} in ('pending', 'processing')`),
    check("exports_user", sql`${t.userId} <> ''`),
    check("exports_epoch", sql`${t.epoch} >= 0`),
    check("exports_frames", sql`${t.frames} > 0 and ${t.durationMicros} > 0`),
    // A string here would be JSON encoded twice.
    check(
      "exports_json",
      sql`jsonb_typeof(${t.spec}) = 'object' and jsonb_typeof(${t.settings}) = 'object' and jsonb_typeof(${t.outputs}) = 'array' and jsonb_typeof(${t.nodeLabels}) = 'array' and jsonb_typeof(${t.plan}) = 'object' and jsonb_typeof(${t.error}) = 'object'`
    ),
    check(
      "exports_pending",
      sql`${t.status} <> 'pending' or (${t.plan} is null and ${t.encoder} is null and ${t.startedAt} is null)`
    ),
    check(
      "exports_processing",
      sql`${t.status} <> 'processing' or (${t.plan} is not null and ${t.epoch} >= 1 and ${t.startedAt} is not null)`
    ),
    check("exports_completed", sql`(${t.status} = 'completed') = (jsonb_array_length(${t.outputs}) > 0)`),
    check("exports_failed", sql`(${t.status} = 'failed') = (${t.error} is not null)`),
    check("exports_ended", sql`(${t.status} in ('completed', 'failed', 'cancelled')) = (${t.completedAt} is not null)`),
    check("exports_priority", sql`${t.priority} in ('low', 'normal', 'high')`),
    check("exports_type", sql`${t.type} in ('framing', 'overlay', 'annotate', 'before_after')`),
    check("exports_delivery", sql`${t.delivery} in ('single', 'combined', 'clips')`)
  ]
)

/** The audit trail: one row a failed attempt, none on the happy path. */
export const attempts = pgTable(
  "attempts",
  {
    id: uuid("id").primaryKey(),
    exportId: uuid("export_id").notNull(),
    userId: text("user_id").notNull(),
    epoch: integer("epoch").notNull(),
    task: text("task").notNull(),
    kind: text("kind").notNull(),
    nodeId: text("node_id").notNull(),
    family: text("family"),
    error: jsonb("error").$type<typeof ExportError.Encoded>().notNull(),
    log: text("log").notNull(),
    seconds: doublePrecision("seconds").notNull(),
    createdAt
  },
  (t) => [
    index("attempts_by_export").on(t.exportId, t.id),
    foreignKey({
      columns: [t.exportId, t.userId],
      foreignColumns: [exports_.id, exports_.userId],
      name: "attempts_export"
    }).onDelete("cascade")
  ]
)

/** One row: what operators set for the whole farm. */
export const farm = pgTable(
  "farm",
  {
    id: boolean("id").primaryKey().default(true),
    paused: boolean("paused").notNull().default(false)
  },
  (t) => [check("farm_single", sql`${t.id}`)]
)
