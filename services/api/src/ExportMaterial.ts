import type { ExportRequest } from "@reelay/contracts/Export"
import { Digest, VideoId } from "@reelay/contracts/Ids"
import type { ProjectId, UserId } from "@reelay/contracts/Ids"
import { NotFound, Validation, VideoNotFound } from "@reelay/contracts/Problem"
import { Aspect } from "@reelay/contracts/Project"
import type { SpecSource } from "@reelay/contracts/RenderSpec"
import { Database } from "@reelay/platform/Database"
import { clipColumns, clipOf, clipVersionHolds, locationOf, mediaOf, RowError } from "@reelay/platform/Rows"
import type { VideoRow } from "@reelay/platform/Rows"
import { clips, clipVersions, projects, videos } from "@reelay/platform/Tables"
import { and, asc, eq, getTableColumns } from "drizzle-orm"
import { Effect, Schema } from "effect"
import { clipsOfVideo } from "./Freeze.ts"
import type { Material } from "./Freeze.ts"

/** What a request names, read as it is stored now. */
export const loadMaterial = Effect.fn("loadMaterial")(function* (owner: UserId, request: ExportRequest) {
  const subject = yield* subjectOf(request)
  return "projectId" in subject
    ? yield* loadProject(owner, subject.projectId)
    : yield* loadVideo(owner, subject.videoId, request)
})

const subjectOf = Effect.fnUntraced(function* ({ projectId, segments, videoId }: ExportRequest) {
  const refuse = (field: string, message: string) =>
    new Validation({ detail: `${field} ${message}.`, errors: [{ field, message }] })
  if (projectId !== undefined && videoId !== undefined)
    return yield* refuse("videoId", "cannot be said beside projectId")
  if (projectId !== undefined) {
    if (segments !== undefined) return yield* refuse("segments", "are parts of a video, not of a project")
    return { projectId }
  }
  if (videoId !== undefined) return { videoId }
  return yield* refuse("projectId", "or videoId is needed")
})

const sourceOf = Effect.fnUntraced(function* (row: VideoRow) {
  const source: SpecSource = {
    videoId: VideoId.make(row.id),
    sha256: Digest.make(row.sha256),
    location: yield* locationOf(row),
    indexKey: row.indexKey,
    media: yield* mediaOf(row)
  }
  return source
})

const loadVideo = Effect.fnUntraced(function* (owner: UserId, id: VideoId, request: ExportRequest) {
  const [row] = yield* Database.use((database) =>
    database.query("material.video", (db) =>
      db
        .select()
        .from(videos)
        .where(and(eq(videos.id, id), eq(videos.userId, owner)))
    )
  )
  if (row === undefined) return yield* new VideoNotFound({ detail: "There is no such video." })
  const material: Material = {
    name: row.name,
    aspect: "source",
    clips: clipsOfVideo(id, row.name, request.segments),
    sources: new Map([[id, yield* sourceOf(row)]])
  }
  return material
})

const loadProject = Effect.fnUntraced(function* (owner: UserId, id: ProjectId) {
  const rows = yield* Database.use((database) =>
    // One statement: clips and videos as they were at one moment.
    database.query("material.project", (db) =>
      db
        .select({
          name: projects.name,
          aspect: projects.aspect,
          clip: clipColumns,
          video: getTableColumns(videos)
        })
        .from(projects)
        .leftJoin(clips, eq(clips.projectId, projects.id))
        .leftJoin(clipVersions, clipVersionHolds)
        .leftJoin(videos, eq(videos.id, clips.videoId))
        .where(and(eq(projects.id, id), eq(projects.userId, owner)))
        .orderBy(asc(clips.position), asc(clips.id))
    )
  )
  const [first] = rows
  if (first === undefined) return yield* new NotFound({ detail: "There is no such project." })
  const sources = new Map<VideoId, SpecSource>()
  const found: Array<Material["clips"][number]> = []
  for (const { clip, video } of rows) {
    if (video === null || clip === null) continue
    const { edits, id: clipId, position, projectId, version, videoId } = clip
    if (
      clipId === null
      || position === null
      || projectId === null
      || version === null
      || videoId === null
      || edits === null
    )
      continue
    found.push(yield* clipOf({ edits, id: clipId, position, projectId, version, videoId }))
    if (!sources.has(VideoId.make(video.id))) sources.set(VideoId.make(video.id), yield* sourceOf(video))
  }
  const aspect = yield* Schema.decodeUnknownEffect(Aspect)(first.aspect).pipe(
    Effect.mapError((cause) => new RowError({ table: "projects", id, cause }))
  )
  const material: Material = { name: first.name, aspect, clips: found, sources }
  return material
})
