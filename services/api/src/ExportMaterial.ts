import type { ExportRequest } from "@reelay/contracts/Export"
import { Digest, ImageId, UserId as UserIdOf, VideoId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { NotFound, Validation, VideoNotFound } from "@reelay/contracts/Problem"
import { Aspect } from "@reelay/contracts/Project"
import { imageFile } from "@reelay/contracts/ObjectKeys"
import type { SpecImage, SpecSource } from "@reelay/contracts/RenderSpec"
import { makeBatch } from "@reelay/platform/Batch"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { clipColumns, clipOf, clipVersionHolds, locationOf, mediaOf, RowError } from "@reelay/platform/Rows"
import { clips, clipVersions, images, projects, videos } from "@reelay/platform/Tables"
import { asc, eq, sql } from "drizzle-orm"
import { Effect, Exit, Schema } from "effect"
import { clipsOfVideo, imagesNamed } from "./Freeze.ts"
import type { Material } from "./Freeze.ts"

/** Reads what a request names, as it is stored now. */
export const makeMaterials = Effect.gen(function* () {
  const video = yield* makeLookUp("videos", readVideos, ([row]) => storedVideo(row))
  const project = yield* makeLookUp("projects", readProjects, storedProject)
  const image = yield* makeLookUp("images", readImages, ([row]) => Effect.succeed(imageOf(row)))

  return Effect.fn("material")(function* (userId: UserId, request: ExportRequest) {
    const subject = yield* subjectOf(request)
    if ("projectId" in subject) {
      const found = yield* project({ id: subject.projectId, userId })
      if (found === null) return yield* new NotFound({ detail: "There is no such project." })
      const named = [...new Set(imagesNamed(request, found.clips).map(({ imageId }) => imageId))]
      if (named.length === 0) return found
      const there = yield* Effect.forEach(named, (id) => image({ id, userId }), { concurrency: "unbounded" })
      return { ...found, images: new Map(there.flatMap((one) => (one === null ? [] : [[one.imageId, one] as const]))) }
    }
    const found = yield* video({ id: subject.videoId, userId })
    if (found === null) return yield* new VideoNotFound({ detail: "There is no such video." })
    const material: Material = {
      name: found.name,
      aspect: "source",
      clips: clipsOfVideo(subject.videoId, found.name, request.segments),
      sources: new Map([[subject.videoId, found.source]]),
      images: new Map()
    }
    return material
  })
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

interface Owned {
  readonly id: string
  readonly userId: string
}
type Found<Row> = readonly [Row, ...ReadonlyArray<Row>]

/** Asked for in one statement. Of projects few: each may have some megabytes of edits. */
const MOST = { videos: 64, images: 64, projects: 8 }

/**
 * Looks a user's things up; null for what is not there, or not theirs. Those who ask at the same time share a statement,
 * and what they ask for in common is decoded once.
 */
const makeLookUp = Effect.fnUntraced(function* <Row extends Owned, A>(
  name: keyof typeof MOST,
  read: (db: Db, asked: ReadonlyArray<Owned>) => Promise<ReadonlyArray<Row>>,
  decode: (rows: Found<Row>) => Effect.Effect<A, RowError>
) {
  const database = yield* Database
  return makeBatch<Owned, A | null, DatabaseError | RowError>({
    most: MOST[name],
    isForAll: (error) => error._tag === "DatabaseError" && error.isAway,
    run: Effect.fnUntraced(function* (asked) {
      const rows = yield* database.query(`material.${name}`, (db) => read(db, asked))
      const answers = new Map<string, { readonly userId: string; readonly answer: Exit.Exit<A, RowError> }>()
      for (const [id, [first, ...rest]] of Map.groupBy(rows, (row) => row.id)) {
        if (first === undefined) continue
        answers.set(id, { userId: first.userId, answer: yield* Effect.exit(decode([first, ...rest])) })
      }
      return asked.map(({ id, userId }) => {
        const found = answers.get(id)
        return found?.userId === userId ? found.answer : Exit.succeed(null)
      })
    })
  })
})

const isAsked = (table: typeof videos | typeof images | typeof projects, asked: ReadonlyArray<Owned>) =>
  sql`(${table.id}, ${table.userId}) in (
    select id, "userId" from jsonb_to_recordset(${JSON.stringify(asked)}::text::jsonb) as asked (id uuid, "userId" text)
  )`

const videoColumns = {
  id: videos.id,
  userId: videos.userId,
  name: videos.name,
  sha256: videos.sha256,
  location: videos.location,
  indexKey: videos.indexKey,
  media: videos.media
}
const readVideos = (db: Db, asked: ReadonlyArray<Owned>) =>
  db.select(videoColumns).from(videos).where(isAsked(videos, asked))
type VideoRow = Awaited<ReturnType<typeof readVideos>>[number]

const readImages = (db: Db, asked: ReadonlyArray<Owned>) => db.select().from(images).where(isAsked(images, asked))

const imageOf = (row: Awaited<ReturnType<typeof readImages>>[number]): SpecImage => {
  const imageId = ImageId.make(row.id)
  const { bytes, height, width } = row
  const object = imageFile(UserIdOf.make(row.userId), imageId)
  return { imageId, sha256: Digest.make(row.sha256), object, bytes, width, height }
}

/** One statement: clips and videos as they were at one moment. */
const readProjects = (db: Db, asked: ReadonlyArray<Owned>) =>
  db
    .select({
      id: projects.id,
      userId: projects.userId,
      name: projects.name,
      aspect: projects.aspect,
      clip: clipColumns,
      video: videoColumns
    })
    .from(projects)
    .leftJoin(clips, eq(clips.projectId, projects.id))
    .leftJoin(clipVersions, clipVersionHolds)
    .leftJoin(videos, eq(videos.id, clips.videoId))
    .where(isAsked(projects, asked))
    .orderBy(asc(projects.id), asc(clips.position), asc(clips.id))
type ProjectRow = Awaited<ReturnType<typeof readProjects>>[number]

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

const storedVideo = (row: VideoRow) => Effect.map(sourceOf(row), (source) => ({ name: row.name, source }))

const storedProject = Effect.fnUntraced(function* (rows: Found<ProjectRow>) {
  const [{ aspect: stored, id, name }] = rows
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
  const aspect = yield* Schema.decodeUnknownEffect(Aspect)(stored).pipe(
    Effect.mapError((cause) => new RowError({ table: "projects", id, cause }))
  )
  const material: Material = { name, aspect, clips: found, sources, images: new Map() }
  return material
})
