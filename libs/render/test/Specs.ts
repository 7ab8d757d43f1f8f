import { UserId, VideoId } from "@reelay/contracts/Ids"
import { CUT } from "@reelay/contracts/Edits"
import { ExportId } from "@reelay/contracts/Ids"
import { Build, type Plan } from "@reelay/contracts/Plan"
import { Micros } from "@reelay/contracts/Quantity"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Schema } from "effect"
import { compile } from "../src/Compile.ts"
import { framesBetween } from "../src/Timeline.ts"
import type { Ingested } from "./Ingest.ts"

/** Specs and plans for tests, with everything that a test does not care for filled in. */
export const EXPORT = ExportId.make("0198c9a0-0000-7000-8000-000000000001")
export const BUILD = Build.make("0123456789ab")

export interface ClipSketch {
  readonly source?: number
  /** Seconds; absent: all of it. */
  readonly start?: number
  readonly end?: number
  readonly name?: string
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
    clips: clips.map(({ source = 0, start, end, name = "clip" }) => {
      const from = Micros.make(Math.round((start ?? 0) * 1e6))
      const to = end === undefined ? Micros.make(sources[source]?.media.picture.duration ?? 0) : Micros.make(Math.round(end * 1e6))
      return {
        clipId: null,
        version: null,
        name,
        source,
        start: from,
        end: to,
        frames: framesBetween(from, to, frameRate),
        crop: null,
        speed: [],
        transition: CUT,
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
