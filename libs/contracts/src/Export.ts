import { Effect, Schema } from "effect"
import { ExportId, ProjectId, UserId, VideoId } from "./Ids.ts"
import { Aspect } from "./Project.ts"
import { Count, Instant, Positive, Seconds } from "./Quantity.ts"
import { Text } from "./Text.ts"
import { told } from "./Told.ts"
import { Warning } from "./Warning.ts"

const orDefault = <S extends Schema.Top, const D extends S["Encoded"]>(schema: S, value: D) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

export const ExportType = Schema.Literals(["framing", "overlay", "annotate", "before_after"])
export type ExportType = typeof ExportType.Type
export const Delivery = Schema.Literals(["single", "combined", "clips"])
export type Delivery = typeof Delivery.Type
export const Resolution = Schema.Literals(["720p", "1080p", "4k", "source"])
export type Resolution = typeof Resolution.Type
export const Format = Schema.Literals(["mp4", "mov", "webm"])
export type Format = typeof Format.Type
export const Quality = Schema.Literals(["high", "medium", "low"])
export type Quality = typeof Quality.Type
export const Mode = Schema.Literals(["fast", "balanced", "quality"])
export type Mode = typeof Mode.Type
export const Fit = Schema.Literals(["crop", "pad", "blur"])
export const FrameRate = Schema.Literals(["source", "23.976", "24", "25", "29.97", "30", "50", "59.94", "60"])
/** The wire says rates as text or as plain numbers (`30`); both mean the same. */
const FrameRateInput = Schema.Union([FrameRate, Schema.Literals([23.976, 24, 25, 29.97, 30, 50, 59.94, 60])])
export const CodecChoice = Schema.Literals(["auto", "h264", "hevc", "vp9", "av1"])
export const VideoCodec = Schema.Literals(["h264", "hevc", "vp9", "av1"])
export type VideoCodec = typeof VideoCodec.Type
/** Integrated loudness of the result, LUFS. */
export const Loudness = Schema.NullOr(Schema.Literals([-14, -16]))
export const Priority = Schema.Literals(["low", "normal", "high"])
export type Priority = typeof Priority.Type
export const Family = Schema.Literals(["nvenc", "qsv", "amf", "videotoolbox", "software"])
export type Family = typeof Family.Type

export const Settings = Schema.Struct({
  resolution: orDefault(
    Resolution.annotate(told("The picture's short side: 720, 1080 or 2160, or the source's. 720p unless told")),
    "720p"
  ),
  format: orDefault(Format.annotate(told("mp4 and mov with AAC, webm with Opus. mp4 unless told")), "mp4"),
  quality: orDefault(Quality.annotate(told("How good it looks, and how large it gets. medium unless told")), "medium"),
  mode: orDefault(
    Mode.annotate(told("The encoder's effort: fast is done sooner, quality is smaller. balanced unless told")),
    "balanced"
  ),
  /** Absent: the project's, else the source's. */
  aspect: Schema.optionalKey(
    Aspect.annotate(told("The finished picture's shape: the project's unless told; source is that of the first clip"))
  ),
  fit: orDefault(
    Fit.annotate(
      told(
        "What becomes of a clip of another shape that has no crop: crop refuses it (missing_crop_data), pad puts it between bars, blur before itself, blurred. crop unless told"
      )
    ),
    "crop"
  ),
  frameRate: orDefault(
    FrameRateInput.annotate(told("Frames a second; source, unless told, is that of the first clip")),
    "source"
  ),
  codec: orDefault(
    CodecChoice.annotate(told("auto, unless told: H.264, in webm VP9. webm holds VP9 and AV1 only")),
    "auto"
  ),
  loudness: orDefault(
    Loudness.annotate(told("Integrated loudness of the result, LUFS; null, unless told, leaves it")),
    null
  )
})
export type Settings = typeof Settings.Type

/** A range of the source in seconds. Order, length and end are checked against the stored video at acceptance. */
export const Segment = Schema.Struct({ start: Schema.Finite, end: Schema.Finite })
export type Segment = typeof Segment.Type

const MiB = 1024 * 1024
/** What one export may come to at the most, over all its files: a plan of it is something that a scheduler can hold. */
export const EXPORT_LIMITS = {
  clips: 1000,
  /** Of output. */
  hours: 24,
  /** Stretches with a speed of their own. */
  speeds: 5000,
  /** Of crops and highlights. */
  keyframes: 100_000,
  /** All that is stored of it: sources, clips and their edits. */
  bytes: 4 * MiB
} as const

export const ExportRequest = Schema.Struct({
  projectId: Schema.optionalKey(ProjectId.annotate(told("All its clips, as they are now. This or videoId"))),
  videoId: Schema.optionalKey(VideoId.annotate(told("A video, or the segments of it. This or projectId"))),
  segments: Schema.optionalKey(
    Schema.Array(Segment)
      .check(Schema.isMaxLength(EXPORT_LIMITS.clips))
      .annotate(told("Parts of the video, in seconds, in the order in which they are to follow; none: all of it"))
  ),
  type: orDefault(
    ExportType.annotate(
      told(
        "framing: trims, crops, speeds and transitions. overlay: with what is drawn over the picture, too. annotate: each clip with its name. before_after: the source beside the result. framing unless told"
      )
    ),
    "framing"
  ),
  delivery: orDefault(
    Delivery.annotate(
      told(
        "combined, unless told: one file. clips: a ZIP with a file of each. single: one file of the only clip or segment"
      )
    ),
    "combined"
  ),
  settings: Settings.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  priority: orDefault(Priority, "normal"),
  nodeLabels: orDefault(
    Schema.Array(Text.check(Schema.isBetweenLength(1, 64)))
      .check(Schema.isMaxLength(16))
      .annotate(told("Only nodes that have all of them (REELAY_NODE_LABELS) take it; while there is none it waits")),
    []
  )
})
export type ExportRequest = typeof ExportRequest.Type

export const ExportStatus = Schema.Literals(["pending", "processing", "completed", "failed", "cancelled"])
export type ExportStatus = typeof ExportStatus.Type
export const isTerminal = (status: ExportStatus): boolean =>
  status === "completed" || status === "failed" || status === "cancelled"

export const Stage = Schema.Literals(["queued", "preparing", "encoding", "finishing", "done"])
export type Stage = typeof Stage.Type

const paused = Schema.optionalKey(
  Schema.Boolean.annotate(told("Of what waits, and only while it is so: an operator has paused the queue"))
)

export const Progress = Schema.Struct({
  epoch: Count,
  status: ExportStatus,
  /** 0…100, never falling within an epoch. */
  percent: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
  stage: Stage,
  message: Schema.String,
  /** 1 is next. Null once it runs. */
  queuePosition: Schema.NullOr(Positive),
  paused,
  framesDone: Count,
  framesTotal: Count,
  /** Times real time, over all nodes that work on it. */
  speed: Schema.NullOr(Schema.Finite),
  elapsedSeconds: Seconds,
  etaSeconds: Schema.NullOr(Seconds)
})
export type Progress = typeof Progress.Type

/** The message of what waits in a queue that stands still. */
export const PAUSED = "The farm is paused by its operator"

/** The message of what waits: its place in the queue, 1 is next. Without one: nobody knows it. */
export const placeText = (queuePosition: number | null): string =>
  queuePosition === null
    ? "Waiting"
    : queuePosition === 1
      ? "Next in the queue"
      : `Number ${queuePosition} in the queue`

/** A finished file, as its owner sees it. */
export const Output = Schema.Struct({
  name: Schema.String,
  contentType: Schema.String,
  bytes: Count,
  /** Seconds. */
  duration: Seconds,
  frames: Count,
  width: Count,
  height: Count,
  sha256: Schema.String
})
export type Output = typeof Output.Type

/** Why an export failed: whose fault, said so that a person can act. Codes are stable, see Problem.ts. */
export const ExportError = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.Literals([
    "input_error",
    "render_error",
    "storage_error",
    "encoder_unavailable",
    "timed_out",
    "out_of_resources"
  ])
})
export type ExportError = typeof ExportError.Type

export class Export extends Schema.Class<Export>("Export")({
  id: ExportId,
  userId: UserId,
  projectId: Schema.NullOr(ProjectId),
  videoId: Schema.NullOr(VideoId),
  segments: Schema.NullOr(Schema.Array(Segment)),
  type: ExportType,
  delivery: Delivery,
  /** As requested, defaults filled in. */
  settings: Settings,
  priority: Priority,
  /** Seconds and frames of all outputs together, exact, known at acceptance. */
  duration: Seconds,
  frames: Count,
  epoch: Count,
  status: ExportStatus,
  queuePosition: Schema.NullOr(Positive),
  paused,
  progress: Schema.NullOr(Progress),
  encoder: Schema.NullOr(Family),
  outputs: Schema.Array(Output),
  error: Schema.NullOr(ExportError),
  /** Of the finished files. */
  warnings: orDefault(Schema.Array(Warning), []),
  createdAt: Instant,
  startedAt: Schema.NullOr(Instant),
  updatedAt: Instant,
  completedAt: Schema.NullOr(Instant)
}) {}

export const Attempt = Schema.Struct({
  epoch: Count,
  task: Schema.String,
  kind: Schema.String,
  nodeId: Schema.String,
  family: Schema.NullOr(Family),
  error: ExportError,
  /** The end of what ffmpeg said, for operators. */
  log: Schema.String,
  seconds: Schema.Finite,
  at: Instant
})
export type Attempt = typeof Attempt.Type
