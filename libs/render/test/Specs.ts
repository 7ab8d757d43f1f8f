import { type Crop, CUT, type SpeedSegment, type Transition } from "@reelay/contracts/Edits"
import { ExportId, type TaskKey, UserId, VideoId } from "@reelay/contracts/Ids"
import { MediaInfo } from "@reelay/contracts/Media"
import { Build, encodesPicture, lightPool, type Operation, type Plan, type Task } from "@reelay/contracts/Plan"
import { Micros } from "@reelay/contracts/Quantity"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Schema } from "effect"
import { compile } from "../src/Compile.ts"
import { clipFrames } from "../src/Sections.ts"
import type { Ingested } from "./Ingest.ts"

/** Specs and plans for tests, with everything that a test does not care for filled in. */
export const EXPORT = ExportId.make("0198c9a0-0000-7000-8000-000000000001")
export const BUILD = Build.make("0123456789ab")

/** Facts of a source that never was, 25 frames a second unless told otherwise. */
export const media = (
  width: number,
  height: number,
  change: { rate?: { num: number; den: number }; sound?: boolean; frames?: number } = {}
): MediaInfo =>
  Schema.decodeUnknownSync(MediaInfo)({
    container: "mov,mp4,m4a,3gp,3g2,mj2",
    fileStart: 0,
    bytes: 1,
    picture: {
      codec: "h264",
      profile: null,
      level: null,
      pixelFormat: "yuv420p",
      streamIndex: 0,
      codedWidth: width,
      codedHeight: height,
      sampleAspect: { num: 1, den: 1 },
      rotation: 0,
      width,
      height,
      timeBase: { num: 1, den: 90_000 },
      zeroPts: 0,
      frames: change.frames ?? 100,
      frameRate: change.rate ?? { num: 25, den: 1 },
      variableFrameRate: false,
      interlaced: false,
      duration: (change.frames ?? 100) * 40_000,
      longestGop: 2_000_000,
      colorRange: null,
      colorSpace: null,
      colorTransfer: null,
      colorPrimaries: null
    },
    sound:
      change.sound === true
        ? {
            codec: "aac",
            streamIndex: 1,
            sampleRate: 44_100,
            channels: 2,
            offset: 0,
            duration: (change.frames ?? 100) * 40_000
          }
        : null
  })

export interface ClipSketch {
  readonly source?: number
  /** Seconds; absent: all of it. */
  readonly start?: number
  readonly end?: number
  readonly name?: string
  readonly speed?: ReadonlyArray<SpeedSegment>
  readonly crop?: Crop | null
  readonly transition?: Transition
}

export const specOf = (
  sources: ReadonlyArray<Pick<Ingested, "media">>,
  clips: ReadonlyArray<ClipSketch>,
  target: Partial<RenderSpec["target"]> = {},
  rest: Partial<Pick<RenderSpec, "delivery" | "name" | "tenant">> = {}
): RenderSpec => {
  const frameRate = target.frameRate ?? { num: 25, den: 1 }
  return Schema.decodeUnknownSync(RenderSpec)({
    v: 1,
    tenant: UserId.make("someone"),
    type: "framing",
    delivery: "combined",
    name: "film.720p",
    ...rest,
    target: {
      format: "mp4",
      codec: "h264",
      width: 96,
      height: 64,
      frameRate,
      quality: "high",
      mode: "fast",
      fit: "crop",
      loudness: null,
      sound: sources.some((source) => source.media.sound !== null),
      ...target
    },
    sources: sources.map(({ media }, i) => ({
      videoId: VideoId.make(`0198c9a0-0000-7000-8000-0000000001${String(i).padStart(2, "0")}`),
      sha256: String(i).padStart(64, "a"),
      location: { _tag: "object", key: `source-${i}` },
      indexKey: `index-${i}`,
      media
    })),
    clips: clips.map(({ source = 0, start, end, name = "clip", speed = [], crop = null, transition = CUT }) => {
      const from = Micros.make(Math.round((start ?? 0) * 1e6))
      const to =
        end === undefined
          ? Micros.make(sources[source]?.media.picture.duration ?? 0)
          : Micros.make(Math.round(end * 1e6))
      return {
        clipId: null,
        version: null,
        name,
        source,
        start: from,
        end: to,
        frames: clipFrames({ start: from, end: to, speed }, frameRate),
        crop,
        speed,
        transition,
        overlays: []
      }
    })
  })
}

export const planOf = (spec: RenderSpec, sources: ReadonlyArray<Pick<Ingested, "index">>): Plan =>
  compile({
    exportId: EXPORT,
    spec,
    family: "software",
    build: BUILD,
    indexes: new Map(sources.map(({ index }, i) => [`index-${i}`, index]))
  })

/** The same plan with every operation a task of its own, as it is in a longer file. */
export const unfolded = (plan: Plan): Plan => ({
  ...plan,
  tasks: plan.tasks.flatMap((task): ReadonlyArray<Task> => {
    const { pool, weight, work } = task
    if (work._tag !== "pass") return [task]
    return work.parts.map((part) =>
      encodesPicture(part.work)
        ? { ...part, pool, weight, needs: [] }
        : { ...part, pool: lightPool(plan.build), weight: 1, needs: neededBy(part.work) }
    )
  })
})

const neededBy = (work: Operation): ReadonlyArray<TaskKey> => {
  if (work._tag === "soundtrack") return [...new Set(work.pieces)]
  if (work._tag !== "mux") return []
  return [...new Set([...work.chunks, ...(work.soundtrack === null ? [] : [work.soundtrack])])]
}
