import { Schema } from "effect"
import { Crop, Overlay, SpeedSegment, Transition } from "./Edits.ts"
import { Delivery, ExportType, Fit, Format, Loudness, Mode, Quality, VideoCodec } from "./Export.ts"
import { ClipId, Digest, ImageId, UserId, VideoId } from "./Ids.ts"
import { MediaInfo, SourceLocation } from "./Media.ts"
import { Micros, Positive, Rational } from "./Quantity.ts"

/** A source as it was when the export was accepted. */
export const SpecSource = Schema.Struct({
  videoId: VideoId,
  sha256: Digest,
  location: SourceLocation,
  /** Object key of its FrameIndex. */
  indexKey: Schema.NonEmptyString,
  media: MediaInfo
})
export type SpecSource = typeof SpecSource.Type

/** An image that an overlay names, as it was when the export was accepted. */
export const SpecImage = Schema.Struct({
  imageId: ImageId,
  sha256: Digest,
  /** Object key of its PNG. */
  object: Schema.NonEmptyString,
  bytes: Positive,
  width: Positive,
  height: Positive
})
export type SpecImage = typeof SpecImage.Type

/**
 * One clip, in order. Times are microseconds from media zero; `frames` is round(R · Σ duration / speed) over its sections,
 * without speeds round((end − start) · R), never 0.
 */
export const SpecClip = Schema.Struct({
  clipId: Schema.NullOr(ClipId),
  version: Schema.NullOr(Positive),
  /** For the file name within a ZIP. */
  name: Schema.String,
  /** Position in `sources`. */
  source: Schema.Int,
  start: Micros,
  end: Micros,
  frames: Positive,
  crop: Schema.NullOr(Crop),
  speed: Schema.Array(SpeedSegment),
  /** Into the next clip of the same file; the last one's leads nowhere (libs/render/src/Sequence.ts). */
  transition: Transition,
  overlays: Schema.Array(Overlay)
})
export type SpecClip = typeof SpecClip.Type

/** What every output file is. Resolved at acceptance: no `auto`, no `source`. */
export const Target = Schema.Struct({
  format: Format,
  codec: VideoCodec,
  width: Positive,
  height: Positive,
  frameRate: Rational,
  quality: Quality,
  mode: Mode,
  fit: Fit,
  loudness: Loudness,
  /** Whether any clip has sound: then every output has a soundtrack (silence where a clip has none). */
  sound: Schema.Boolean
})
export type Target = typeof Target.Type

/**
 * The frozen meaning of an export (invariant 2): no later edit of a project changes it. Stored as JSON in the export's
 * row; a change of meaning makes a new `v` and an upcaster, held by stored examples in the tests.
 */
export const RenderSpec = Schema.Struct({
  v: Schema.Literal(1),
  tenant: UserId,
  type: ExportType,
  delivery: Delivery,
  /** Stem of the output's name, already made safe for file systems: `<project or video>.<resolution>`. */
  name: Schema.NonEmptyString,
  target: Target,
  sources: Schema.Array(SpecSource).check(Schema.isMinLength(1)),
  /** Those that are drawn, each once; absent: none. */
  images: Schema.optionalKey(Schema.Array(SpecImage)),
  clips: Schema.Array(SpecClip).check(Schema.isMinLength(1))
})
export type RenderSpec = typeof RenderSpec.Type
