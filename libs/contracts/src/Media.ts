import { Schema } from "effect"
import { ImageId, VideoId } from "./Ids.ts"
import { Count, Instant, Micros, Positive, Rational, Seconds } from "./Quantity.ts"

export const Rotation = Schema.Literals([0, 90, 180, 270])

/** The facts of a source's picture that planning needs. Taken at ingest from the whole file, not from its header. */
export const PictureInfo = Schema.Struct({
  /** ffmpeg's name: h264, hevc, vp9, mpeg4 … */
  codec: Schema.String,
  profile: Schema.NullOr(Schema.String),
  level: Schema.NullOr(Schema.Int),
  pixelFormat: Schema.String,
  /** Index of the stream in the file, as ffmpeg maps it (`0:<index>`). */
  streamIndex: Count,
  /** Stored pixels, before rotation and before the sample aspect ratio. */
  codedWidth: Positive,
  codedHeight: Positive,
  sampleAspect: Rational,
  /** Degrees clockwise that a player turns the picture. */
  rotation: Rotation,
  /** Displayed size: rotated, square pixels, rounded to whole pixels. Crops and outputs are relative to this. */
  width: Positive,
  height: Positive,
  timeBase: Rational,
  /** Presentation time of the first displayed frame, in ticks of `timeBase`: media zero. May be negative. */
  zeroPts: Schema.Int,
  /** Frames that are displayed (packets less those an edit list discards). */
  frames: Positive,
  /** Average rate, snapped to a usual one when within a thousandth. What `frameRate: "source"` means. */
  frameRate: Rational,
  variableFrameRate: Schema.Boolean,
  interlaced: Schema.Boolean,
  /** From the first displayed frame to the end of the last. */
  duration: Micros,
  /** The longest distance between two key frames: what a seek must step back by. */
  longestGop: Micros,
  colorRange: Schema.NullOr(Schema.String),
  colorSpace: Schema.NullOr(Schema.String),
  colorTransfer: Schema.NullOr(Schema.String),
  colorPrimaries: Schema.NullOr(Schema.String)
})
export type PictureInfo = typeof PictureInfo.Type

/** The facts of the sound that is used: of several tracks the one that is marked as default, else the first. */
export const SoundInfo = Schema.Struct({
  codec: Schema.String,
  streamIndex: Count,
  sampleRate: Positive,
  channels: Positive,
  /** First sound relative to media zero (microseconds; negative: the sound starts earlier and that much is cut). */
  offset: Micros,
  duration: Micros
})
export type SoundInfo = typeof SoundInfo.Type

export const MediaInfo = Schema.Struct({
  /** ffprobe's `format_name`. */
  container: Schema.String,
  /** `format.start_time`: ffmpeg's `-ss` counts from the file's zero, so seeking needs it. */
  fileStart: Micros,
  bytes: Positive,
  picture: PictureInfo,
  sound: Schema.NullOr(SoundInfo)
})
export type MediaInfo = typeof MediaInfo.Type

/**
 * Where the bytes of a source are. A `file` is footage used where it lies: its size and modification time (whole
 * milliseconds) are compared before each use, so that a replaced file is an error and never a different picture.
 */
export const SourceLocation = Schema.Union([
  Schema.TaggedStruct("object", { key: Schema.NonEmptyString }),
  Schema.TaggedStruct("file", { path: Schema.NonEmptyString, bytes: Positive, modifiedMillis: Count })
])
export type SourceLocation = typeof SourceLocation.Type

/** One entry a displayed frame, in presentation order. Stored beside the source at ingest. */
export const FrameIndex = Schema.Struct({
  v: Schema.Literal(1),
  timeBase: Rational,
  /** Presentation times in ticks, ascending. */
  pts: Schema.Array(Schema.Int),
  /** Positions (in this array) of key frames. */
  keys: Schema.Array(Count),
  /** Byte position of each key frame's packet, −1 where the container does not say. */
  keyBytes: Schema.Array(Schema.Int),
  /** In which order they are coded; absent where the container does not say, and in indexes of before it was kept. */
  order: Schema.optionalKey(
    Schema.Struct({
      /**
       * Frames are coded in these runs, lengths of which all together are the frames: what lies before a run is coded before
       * it, too. Only between two of them a stream can be cut without decoding it.
       */
      runs: Schema.Array(Positive),
      /** By how many frames coding runs ahead of presentation at the most. */
      ahead: Count
    })
  )
})
export type FrameIndex = typeof FrameIndex.Type

export const VideoStatus = Schema.Literals(["uploading", "ready", "refused"])

/** A source video as clients see it. */
export class Video extends Schema.Class<Video>("Video")({
  id: VideoId,
  name: Schema.String,
  status: VideoStatus,
  bytes: Count,
  container: Schema.String,
  /** Seconds. */
  duration: Seconds,
  frames: Count,
  width: Count,
  height: Count,
  /** Frames per second. */
  frameRate: Schema.Finite,
  variableFrameRate: Schema.Boolean,
  videoCodec: Schema.String,
  audioCodec: Schema.NullOr(Schema.String),
  hasAudio: Schema.Boolean,
  /** Signed: usable as `src` of a `<video>`. */
  contentUrl: Schema.String,
  /** Signed: usable as `src` of an `<img>`. */
  posterUrl: Schema.String,
  createdAt: Instant
}) {}

/** A picture that does not move, to be laid over others. What is kept of it is a PNG, upright, of these pixels. */
export class Image extends Schema.Class<Image>("Image")({
  id: ImageId,
  name: Schema.String,
  bytes: Count,
  width: Positive,
  height: Positive,
  /** Signed: usable as `src` of an `<img>`. */
  contentUrl: Schema.String,
  createdAt: Instant
}) {}
