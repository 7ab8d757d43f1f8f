import { Effect, Schema } from "effect"
import { Family } from "./Export.ts"
import type { VideoCodec } from "./Export.ts"
import { Digest, ExportId, NodeId, TaskKey } from "./Ids.ts"
import { Count, Instant, Positive, Seconds } from "./Quantity.ts"
import { RenderSpec } from "./RenderSpec.ts"

/** A token of a NATS subject. */
export const PoolName = Schema.String.check(Schema.isPattern(/^[a-z0-9-]{1,64}$/)).pipe(Schema.brand("PoolName"))
export type PoolName = typeof PoolName.Type

/** Digest (first 12 hex digits) of what `ffmpeg -version` says: two builds never share a file. */
export const Build = Schema.String.check(Schema.isPattern(/^[0-9a-f]{12}$/)).pipe(Schema.brand("Build"))
export type Build = typeof Build.Type

export const videoPool = (family: Family, codec: VideoCodec, build: Build): PoolName =>
  PoolName.make(`${family}-${codec}-${build}`)
/** Sound, mux and ZIP tasks: cheap, never behind an hour of chunks. */
export const lightPool = (build: Build): PoolName => PoolName.make(`light-${build}`)

/** Frames [from, to) of a section of a clip (a stretch at one speed), and how the source's are got at. */
const SHOWN = {
  clip: Count,
  section: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  from: Count,
  to: Positive,
  /** Whole microseconds for `-ss` (counted from the file's zero), null: decode from the start. From the frame index. */
  seek: Schema.NullOr(Schema.Int),
  /** Output frames, counted back from `to`, that show the source's very last frame: it is held for them. */
  hold: Count
}
export const Shown = Schema.Struct(SHOWN)
export type Shown = typeof Shown.Type

/**
 * To black, or out of it. Frame k of the fade has k parts in `frames` of the way behind it: of one `in`, the first is black;
 * of one `out`, the one after its last would be.
 */
export const Fade = Schema.Struct({
  direction: Schema.Literals(["in", "out"]),
  /** Frame at which it begins, counted from a chunk's (or a clip's) first; below 0 where that lies within it. */
  from: Schema.Int,
  frames: Positive
})
export type Fade = typeof Fade.Type

/** What an encoded piece must be like to lie beside copied ones (libs/render/src/SmartCut.ts). */
export const Edge = Schema.Struct({
  /** The source's, by ffprobe's names. */
  profile: Schema.NullOr(Schema.String),
  level: Schema.NullOr(Schema.Int),
  /** Number of its parameter sets, which the copied pieces' sets must not have. */
  sets: Count
})
export type Edge = typeof Edge.Type

/** Where in a clip's sound something begins: samples from its first. */
const Heard = Schema.Struct({ clip: Count, from: Count })
export type Heard = typeof Heard.Type

/**
 * What one operation makes: semantics only, never argv. Together with the plan's spec it is all an encoder needs. `clip` is a
 * position in `spec.clips`, `section` one among its sections (libs/render/src/Sections.ts); frames are output frames,
 * counted from the section's first.
 */
export const Operation = Schema.Union([
  /** A piece of one clip's picture, without sound. */
  Schema.TaggedStruct("chunk", {
    ...SHOWN,
    fades: Schema.optionalKey(Schema.Array(Fade)),
    /** To be joined with copied pieces: always encoded in software, whatever the plan's family. */
    edge: Schema.optionalKey(Edge)
  }),
  /**
   * Frames [from, to) of a clip's only section as the source has them, not decoded. The first is a key frame, shown at `at`
   * (whole microseconds from the file's zero); as many packets from there on are these frames and no others.
   */
  Schema.TaggedStruct("copy", {
    clip: Count,
    from: Count,
    to: Positive,
    at: Schema.Int,
    /** Microseconds after that at which a seek is aimed to find it: demuxers look by times of decoding. */
    late: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
    /** By how many frames coding runs ahead of presentation at the most. */
    ahead: Count
  }),
  /**
   * Two clips' pictures, one over the other, as many frames of each: in frame k the second's part is
   * (at + k + 1) / (of + 1). `of`: frames of the whole dissolve; `at`: those of it before this piece.
   */
  Schema.TaggedStruct("dissolve", { first: Shown, second: Shown, at: Count, of: Positive }),
  /**
   * A clip's sound as sample-exact PCM, `samples` long at 48 kHz stereo, beginning `from` samples (0 unless told) after the
   * clip. It rises out of silence over `fadeIn` samples at its start and sinks into it over `fadeOut` at its end.
   */
  Schema.TaggedStruct("sound", {
    clip: Count,
    from: Schema.optionalKey(Count),
    samples: Positive,
    fadeIn: Schema.optionalKey(Count),
    fadeOut: Schema.optionalKey(Count)
  }),
  /** Two clips' sound, the first sinking as the second rises, at equal power: PCM as above. */
  Schema.TaggedStruct("crossfade", { first: Heard, second: Heard, samples: Positive }),
  /**
   * A clip's sound as the source has it, not decoded, beginning at a sample (at 48 kHz, on the file's clock, which need not
   * begin at 0): a soundtrack. What a decoder needs to begin there is in it, and hidden.
   */
  Schema.TaggedStruct("soundcopy", { clip: Count, at: Schema.Int, samples: Positive }),
  /** PCM pieces joined in order and encoded once. */
  Schema.TaggedStruct("soundtrack", { pieces: Schema.Array(TaskKey), samples: Positive }),
  /** Chunks and dissolves joined without re-encoding, with the soundtrack: a finished file and its poster. */
  Schema.TaggedStruct("mux", {
    chunks: Schema.Array(TaskKey).check(Schema.isMinLength(1)),
    soundtrack: Schema.NullOr(TaskKey),
    frames: Positive,
    name: Schema.NonEmptyString
  })
])
export type Operation = typeof Operation.Type

/** An operation of a pass, under the key that it would have as a task of its own. */
export const Part = Schema.Struct({ key: TaskKey, frames: Count, work: Operation })
export type Part = typeof Part.Type

/** What a task makes. */
export const Work = Schema.Union([
  ...Operation.members,
  /**
   * All operations of a short file, one after the other on one node: to be a task of its own would cost each of them
   * more than doing them side by side could gain. The last makes the file; what the others make is nobody else's.
   */
  Schema.TaggedStruct("pass", { parts: Schema.Array(Part).check(Schema.isMinLength(1)) }),
  /** Finished files, stored (not deflated) under safe names. */
  Schema.TaggedStruct("zip", {
    files: Schema.Array(Schema.Struct({ task: TaskKey, name: Schema.NonEmptyString })),
    name: Schema.NonEmptyString
  })
])
export type Work = typeof Work.Type

/** Whether a picture is encoded. */
export const encodesPicture = (work: Work): boolean =>
  work._tag === "chunk" || work._tag === "dissolve" || work._tag === "pass"

/** Whether it brings frames of the export: progress counts them. */
export const bringsPicture = (work: Work): boolean => encodesPicture(work) || work._tag === "copy"

export const Task = Schema.Struct({
  key: TaskKey,
  pool: PoolName,
  /** Tasks whose objects this one reads; it is ready when all are done. */
  needs: Schema.Array(TaskKey),
  /** Output frames, for progress. 0 for a task that makes none. */
  frames: Count,
  /** Slots it takes: 1, or more for 4K. */
  weight: Positive,
  work: Work
})
export type Task = typeof Task.Type

/**
 * The version that is written. 1: before there were copies, edges, passes and images; all of it means the same still. An encoder
 * that knows only 1 would leave out what it does not know: it gives a plan of 2 back, for others.
 */
export const PLAN_VERSION = 2 as const
const Version = Schema.Union([Schema.Literal(PLAN_VERSION), Schema.Literal(1).transform(PLAN_VERSION)])

export const Plan = Schema.Struct({
  v: Version,
  exportId: ExportId,
  spec: RenderSpec,
  family: Family,
  build: Build,
  /** In an order in which every task follows what it needs. */
  tasks: Schema.Array(Task).check(Schema.isMinLength(1)),
  /** The task whose files are the export's outputs. */
  final: TaskKey,
  /** Why each way was chosen, for operators. */
  reasons: Schema.Array(Schema.String)
})
export type Plan = typeof Plan.Type

/**
 * Whether it copies frames, joins copied ones, or encodes some to be joined with them: what may be sound and yet not go
 * together, and what only decoding the result can prove right.
 */
export const isSmartCut = ({ tasks }: Pick<Plan, "tasks">, work: Work): boolean => {
  switch (work._tag) {
    case "copy":
    case "soundcopy":
      return true
    case "chunk":
      return work.edge !== undefined
    case "mux":
      return tasks.some((task) => task.work._tag === "copy" && work.chunks.includes(task.key))
    case "pass":
      return work.parts.some((part) => part.work._tag === "copy")
    default:
      return false
  }
}

/** Which encoders do a task's pictures: the plan's, or software whatever that is. Null: it encodes none. */
export const familyOf = (plan: Pick<Plan, "tasks" | "family">, work: Work): Family | null =>
  encodesPicture(work) ? (isSmartCut(plan, work) ? "software" : plan.family) : null

/** A file that a task made. `object` is its key in the object store. */
export const MadeFile = Schema.Struct({
  role: Schema.Literals(["media", "poster"]),
  object: Schema.NonEmptyString,
  /** The name it has as an output; empty for intermediate files. */
  name: Schema.String,
  contentType: Schema.String,
  bytes: Count,
  sha256: Digest,
  /** 0 where the file has no picture. */
  frames: Count,
  /** Seconds. */
  duration: Seconds,
  width: Count,
  height: Count
})
export type MadeFile = typeof MadeFile.Type

/**
 * The object that makes a task done. It is written with a conditional put under the task's key, so the first worker
 * wins; the files it names were written before it under names of their own, and a loser removes its own.
 */
export const Manifest = Schema.Struct({
  v: Schema.Literal(1),
  key: TaskKey,
  files: Schema.Array(MadeFile).check(Schema.isMinLength(1)),
  family: Schema.NullOr(Family),
  /** Characters in it that no font of the node has (Warning.ts), also in what it was made of; absent: none. */
  missingGlyphs: Schema.optionalKey(Schema.String),
  nodeId: NodeId,
  /** Wall-clock seconds the work took on that node. */
  seconds: Schema.Finite,
  madeAt: Instant
})
export type Manifest = typeof Manifest.Type
