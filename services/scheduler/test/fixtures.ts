import type { Family } from "@reelay/contracts/Export"
import { Digest, ExportId, NodeId, TaskKey, UserId, VideoId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import { taskFile } from "@reelay/contracts/ObjectKeys"
import { Build, lightPool, PLAN_VERSION, videoPool } from "@reelay/contracts/Plan"
import type { Manifest, Plan, Task, Work } from "@reelay/contracts/Plan"
import { Micros } from "@reelay/contracts/Quantity"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { DateTime } from "effect"
import { createHash } from "node:crypto"

const digests = new Map<string, string>()
export const sha = (text: string): string => {
  const known = digests.get(text)
  if (known !== undefined) return known
  const digest = createHash("sha256").update(text).digest("hex")
  digests.set(text, digest)
  return digest
}
export const BUILD = Build.make("0123456789ab")
export const SECOND_BUILD = Build.make("ba9876543210")

/** A UUIDv7 that sorts by its number. */
export const exportId = (n: number): ExportId =>
  ExportId.make(`0198c9a0-${n.toString(16).padStart(4, "0").slice(-4)}-7000-8000-${n.toString(16).padStart(12, "0")}`)
export const user = (name: string): UserId => UserId.make(name)

export const specOf = (options: {
  readonly user: UserId
  readonly content: string
  readonly chunks: number
}): RenderSpec => {
  const frames = options.chunks * 30
  const micros = Micros.make(options.chunks * 1_000_000)
  return {
    v: 1,
    tenant: options.user,
    type: "framing",
    delivery: "combined",
    name: "clip.720p",
    target: {
      format: "mp4",
      codec: "h264",
      width: 1280,
      height: 720,
      frameRate: { num: 30, den: 1 },
      quality: "medium",
      mode: "fast",
      fit: "crop",
      loudness: null,
      sound: true
    },
    sources: [
      {
        videoId: VideoId.make("0198c9a0-0000-7000-8000-000000000001"),
        sha256: Digest.make(sha(options.content)),
        location: { _tag: "object", key: "sources/x/y/media" },
        indexKey: `sources/x/${options.content}/index.json`,
        media: {
          container: "mov,mp4",
          fileStart: Micros.make(0),
          bytes: 1000,
          picture: {
            codec: "h264",
            profile: "High",
            level: 31,
            pixelFormat: "yuv420p",
            streamIndex: 0,
            codedWidth: 1280,
            codedHeight: 720,
            sampleAspect: { num: 1, den: 1 },
            rotation: 0,
            width: 1280,
            height: 720,
            timeBase: { num: 1, den: 15360 },
            zeroPts: 0,
            frames,
            frameRate: { num: 30, den: 1 },
            variableFrameRate: false,
            interlaced: false,
            duration: micros,
            longestGop: Micros.make(1_000_000),
            colorRange: null,
            colorSpace: null,
            colorTransfer: null,
            colorPrimaries: null
          },
          sound: null
        }
      }
    ],
    clips: [
      {
        clipId: null,
        version: null,
        name: "clip",
        source: 0,
        start: Micros.make(0),
        end: micros,
        frames,
        crop: null,
        speed: [],
        transition: { type: "cut", duration: 0 },
        overlays: []
      }
    ]
  }
}

/** Chunks, a soundtrack of one piece, a mux: the shape of every export. Keys as a compiler would make them. */
export const planOf = (options: {
  readonly id: ExportId
  readonly spec: RenderSpec
  readonly chunks: number
  readonly family: Family
  readonly build: Build
  /** Its chunks are made for joining with copied frames, of which there are none here. */
  readonly smartCut?: boolean
}): Plan => {
  const { build, family, smartCut = false, spec } = options
  const content = spec.sources[0]?.sha256 ?? ""
  const key = (name: string, ofFamily: boolean) =>
    TaskKey.make(sha([spec.tenant, content, build, ofFamily ? family : "", name].join("/")))
  const light = lightPool(build)
  const video = videoPool(family, spec.target.codec, build)
  const task = (key: TaskKey, work: Work, needs: ReadonlyArray<TaskKey>, frames: number): Task => ({
    key,
    pool: work._tag === "chunk" ? video : light,
    needs,
    frames,
    weight: 1,
    work
  })
  const chunks = Array.from({ length: options.chunks }, (_, i) =>
    task(
      key(`${smartCut ? "edge" : "chunk"}${i}`, true),
      {
        _tag: "chunk",
        clip: 0,
        section: 0,
        from: i * 30,
        to: (i + 1) * 30,
        seek: null,
        hold: 0,
        ...(smartCut ? { edge: { profile: null, level: null, sets: 16 } } : {})
      },
      [],
      30
    )
  )
  const sound = task(key("sound", false), { _tag: "sound", clip: 0, samples: 48_000 }, [], 0)
  const soundtrack = task(
    key("soundtrack", false),
    { _tag: "soundtrack", pieces: [sound.key], samples: 48_000 },
    [sound.key],
    0
  )
  const keys = chunks.map((chunk) => chunk.key)
  const mux = task(
    key(smartCut ? "joined" : "mux", true),
    { _tag: "mux", chunks: keys, soundtrack: soundtrack.key, frames: options.chunks * 30, name: "clip.720p.mp4" },
    [...keys, soundtrack.key],
    0
  )
  return {
    v: PLAN_VERSION,
    exportId: options.id,
    spec,
    family,
    build,
    tasks: [...chunks, sound, soundtrack, mux],
    final: mux.key,
    reasons: []
  }
}

export const manifestOf = (user: UserId, key: TaskKey, node: NodeId, unique = "u"): Manifest => ({
  v: 1,
  key,
  files: [
    {
      role: "media",
      object: taskFile(user, key, unique, "clip.mp4"),
      name: "clip.720p.mp4",
      contentType: "video/mp4",
      bytes: 4,
      sha256: Digest.make(sha(key)),
      frames: 30,
      duration: 1,
      width: 1280,
      height: 720
    }
  ],
  family: null,
  nodeId: node,
  seconds: 0.1,
  madeAt: DateTime.makeUnsafe(0)
})

export const advertisementOf = (
  id: string,
  options: {
    readonly slots?: number
    readonly lightSlots?: number
    readonly families?: ReadonlyArray<Family>
    readonly build?: Build
    readonly labels?: ReadonlyArray<string>
    readonly status?: Advertisement["status"]
    readonly tasks?: Advertisement["tasks"]
  } = {}
): Advertisement => {
  const {
    build = BUILD,
    families = ["software"],
    labels = [],
    lightSlots = 1,
    slots = 2,
    status = "active",
    tasks = []
  } = options
  return {
    v: 1,
    id: NodeId.make(id),
    host: id,
    version: "0.1.0",
    build,
    status,
    families: families.map((name) => ({ name, codecs: ["h264"], device: null, state: "ok", reason: null })),
    pools: [...families.map((family) => videoPool(family, "h264", build)), lightPool(build)],
    slots: { total: slots, busy: 0 },
    lightSlots: { total: lightSlots, busy: 0 },
    tasks,
    labels,
    startedAt: DateTime.makeUnsafe(0)
  }
}
