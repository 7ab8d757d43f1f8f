import { CUT } from "@reelay/contracts/Edits"
import { ClipId, Digest, ExportId, newId, ProjectId, TaskKey, VideoId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import type { MediaInfo } from "@reelay/contracts/Media"
import { sourceIndex, sourceMedia } from "@reelay/contracts/ObjectKeys"
import { Build, PLAN_VERSION, videoPool } from "@reelay/contracts/Plan"
import type { Plan } from "@reelay/contracts/Plan"
import { microsOf, ratio } from "@reelay/contracts/Quantity"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import type { Db, Transaction } from "../Database.ts"
import { clips, clipVersions, exports_, projects, videos } from "../Tables.ts"
import type { StoredOutput } from "../Tables.ts"

/** Rows as the api writes them, for tests that need some to be there. All of one small video: 10 s of 320×180 at 25/s. */
export const media: MediaInfo = {
  container: "mov,mp4,m4a,3gp,3g2,mj2",
  fileStart: microsOf(0),
  bytes: 123_456,
  picture: {
    codec: "h264",
    profile: "High",
    level: 40,
    pixelFormat: "yuv420p",
    streamIndex: 0,
    codedWidth: 320,
    codedHeight: 180,
    sampleAspect: ratio(1),
    rotation: 0,
    width: 320,
    height: 180,
    timeBase: ratio(1, 12_800),
    zeroPts: 0,
    frames: 250,
    frameRate: ratio(25),
    variableFrameRate: false,
    interlaced: false,
    duration: microsOf(10),
    longestGop: microsOf(2),
    colorRange: null,
    colorSpace: null,
    colorTransfer: null,
    colorPrimaries: null
  },
  sound: { codec: "aac", streamIndex: 1, sampleRate: 48_000, channels: 2, offset: microsOf(0), duration: microsOf(10) }
}

export const digest = Digest.make("0".repeat(64))

export const spec = (tenant: UserId, videoId: VideoId): RenderSpec => ({
  v: 1,
  tenant,
  type: "framing",
  delivery: "combined",
  name: "holiday.720p",
  target: {
    format: "mp4",
    codec: "h264",
    width: 320,
    height: 180,
    frameRate: ratio(25),
    quality: "medium",
    mode: "balanced",
    fit: "crop",
    loudness: null,
    sound: true
  },
  sources: [
    {
      videoId,
      sha256: digest,
      location: { _tag: "object", key: sourceMedia(tenant, videoId) },
      indexKey: sourceIndex(tenant, videoId),
      media
    }
  ],
  clips: [
    {
      clipId: null,
      version: null,
      name: "holiday",
      source: 0,
      start: microsOf(0),
      end: microsOf(10),
      frames: 250,
      crop: null,
      speed: [],
      transition: CUT,
      overlays: []
    }
  ]
})

/** The least plan: all in one task. */
export const plan = (exportId: ExportId, of: RenderSpec): Plan => {
  const build = Build.make("0123456789ab")
  const key = TaskKey.make("a".repeat(64))
  return {
    v: PLAN_VERSION,
    exportId,
    spec: of,
    family: "software",
    build,
    tasks: [
      {
        key,
        pool: videoPool("software", of.target.codec, build),
        needs: [],
        frames: 250,
        weight: 1,
        work: { _tag: "chunk", clip: 0, section: 0, from: 0, to: 250, seek: null, hold: 0 }
      }
    ],
    final: key,
    reasons: []
  }
}

export const output: StoredOutput = {
  output: {
    name: "holiday.720p.mp4",
    contentType: "video/mp4",
    bytes: 654_321,
    duration: 10,
    frames: 250,
    width: 320,
    height: 180,
    sha256: digest
  },
  object: "exports/someone/something/1/holiday.720p.mp4",
  poster: null
}

export const insertVideo = async (db: Db | Transaction, user: UserId) => {
  const id = newId(VideoId)
  await db.insert(videos).values({
    id,
    userId: user,
    name: "holiday.mp4",
    sha256: digest,
    location: { _tag: "object", key: sourceMedia(user, id) },
    indexKey: sourceIndex(user, id),
    media
  })
  return id
}

export const insertProject = async (db: Db | Transaction, user: UserId) => {
  const id = newId(ProjectId)
  await db.insert(projects).values({ id, userId: user, name: "summer" })
  return id
}

export const edits: typeof clipVersions.$inferInsert.edits = {
  name: "beach",
  timing: { start: 1, end: 3 },
  crop: null,
  speed: [],
  transition: CUT,
  overlays: []
}

/** A clip and its first version. */
export const insertClip = (
  db: Db | Transaction,
  user: UserId,
  projectId: ProjectId,
  videoId: VideoId,
  position = 0,
  made = edits
) =>
  db.transaction(async (tx) => {
    const id = newId(ClipId)
    await tx.insert(clips).values({ id, userId: user, projectId, videoId, position })
    await tx.insert(clipVersions).values({ clipId: id, version: 1, userId: user, edits: made })
    return id
  })

/** A pending export of a whole video. */
export const insertExport = async (
  db: Db | Transaction,
  user: UserId,
  videoId: VideoId,
  projectId: ProjectId | null = null
) => {
  const id = newId(ExportId)
  await db.insert(exports_).values({
    id,
    userId: user,
    videoId,
    projectId,
    type: "framing",
    delivery: "combined",
    settings: { resolution: "720p", format: "mp4" },
    requestDigest: digest,
    spec: spec(user, videoId),
    frames: 250,
    durationMicros: 10_000_000
  })
  return id
}
