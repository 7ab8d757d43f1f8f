import type { NewProject, ProjectChange } from "@reelay/contracts/api/Projects"
import { ExportId, newId, ProjectId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { NotFound } from "@reelay/contracts/Problem"
import type { Validation } from "@reelay/contracts/Problem"
import type { Project } from "@reelay/contracts/Project"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import { clipColumns, clipVersionHolds, projectOf } from "@reelay/platform/Rows"
import type { ProjectRow } from "@reelay/platform/Rows"
import { clips, clipVersions, exports_, projects } from "@reelay/platform/Tables"
import { and, asc, count, desc, eq, getTableColumns, inArray, lt, sql } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { decodeCursor, pageOf } from "./Cursor.ts"
import type { Trouble } from "./Trouble.ts"
import type { PageOf, PageRequest } from "./Videos.ts"

/** Edits under a name. Their clips are Clips' matter. */
export class Projects extends Context.Service<
  Projects,
  {
    create(owner: UserId, project: NewProject): Effect.Effect<Project, Trouble>
    /** Newest first. */
    list(owner: UserId, page: PageRequest): Effect.Effect<PageOf<Project>, Validation | Trouble>
    get(owner: UserId, id: ProjectId): Effect.Effect<Project, NotFound | Trouble>
    update(owner: UserId, id: ProjectId, change: ProjectChange): Effect.Effect<Project, NotFound | Trouble>
    /** Its clips go with it; its exports stay. */
    remove(owner: UserId, id: ProjectId): Effect.Effect<void, NotFound | Trouble>
  }
>()("@reelay/api/Projects") {
  static readonly layer = Layer.effect(
    Projects,
    Effect.gen(function* () {
      const database = yield* Database
      const mine = (owner: UserId, id: ProjectId) => and(eq(projects.id, id), eq(projects.userId, owner))

      /** Projects with their clips and what was exported of them, in three statements however many they are. */
      const complete = Effect.fnUntraced(function* (rows: ReadonlyArray<ProjectRow>) {
        const ids = rows.map((row) => row.id)
        if (ids.length === 0) return []
        const [clipRows, latest, active] = yield* database.query("projects.complete", (db) =>
          Promise.all([
            db
              .select(clipColumns)
              .from(clips)
              .innerJoin(clipVersions, clipVersionHolds)
              .where(inArray(clips.projectId, ids))
              .orderBy(asc(clips.position), asc(clips.id)),
            newestExports(db, ids, false),
            newestExports(db, ids, true)
          ])
        )
        return yield* Effect.forEach(rows, (row) =>
          projectOf(
            row,
            clipRows.filter((clip) => clip.projectId === row.id),
            {
              active: exportFor(active, row.id),
              latest: exportFor(latest, row.id)
            }
          )
        )
      })

      const one = Effect.fnUntraced(function* (row: ProjectRow | undefined) {
        const [project] = row === undefined ? [] : yield* complete([row])
        return project ?? (yield* new NotFound({ detail: "There is no such project." }))
      })

      return Projects.of({
        create: Effect.fn("Projects.create")(function* (owner, project) {
          const rows = yield* database.query("projects.create", (db) =>
            db
              .insert(projects)
              .values({
                id: newId(ProjectId),
                userId: owner,
                name: project.name,
                aspect: project.aspect ?? "source"
              })
              .returning()
          )
          return yield* one(rows[0]).pipe(Effect.catchTag("NotFound", Effect.die))
        }),

        list: Effect.fn("Projects.list")(function* (owner, page) {
          const after = yield* decodeCursor("projects", page.cursor)
          const ours = eq(projects.userId, owner)
          const [rows, total] = yield* database.query("projects.list", (db) =>
            Promise.all([
              db
                .select({ ...getTableColumns(projects), editBytes })
                .from(projects)
                .where(and(ours, after === null ? undefined : lt(projects.id, after.id)))
                .orderBy(desc(projects.id))
                .limit(page.limit + 1),
              db.select({ total: count() }).from(projects).where(ours)
            ])
          )
          const { items, nextCursor } = pageOf(rows, Math.min(page.limit, fitting(rows)), "projects", (row) => ({
            key: "",
            id: row.id
          }))
          return { items: yield* complete(items), nextCursor, total: total[0]?.total ?? 0 }
        }),

        get: Effect.fn("Projects.get")(function* (owner, id) {
          const rows = yield* database.query("projects.get", (db) => db.select().from(projects).where(mine(owner, id)))
          return yield* one(rows[0])
        }),

        update: Effect.fn("Projects.update")(function* (owner, id, change) {
          const rows = yield* database.query("projects.update", (db) =>
            // An empty change is one, too: `updatedAt` moves.
            db
              .update(projects)
              .set({ id, ...change })
              .where(mine(owner, id))
              .returning()
          )
          return yield* one(rows[0])
        }),

        remove: Effect.fn("Projects.remove")(function* (owner, id) {
          const rows = yield* database.query("projects.remove", (db) =>
            db.delete(projects).where(mine(owner, id)).returning({ id: projects.id })
          )
          if (rows.length === 0) return yield* new NotFound({ detail: "There is no such project." })
        })
      })
    })
  )
}

interface ExportOfProject {
  readonly projectId: string | null
  readonly id: string
}

/** Bytes of edits on a page, beyond the first project's: a page is answered in one piece. */
const PAGE_BYTES = 16 * 1024 * 1024
const editBytes = sql<string>`(
  select coalesce(sum(octet_length(clip_versions.edits::text)), 0)
  from clips join clip_versions on clip_versions.clip_id = clips.id and clip_versions.version = clips.version
  where clips.project_id = projects.id
)`
/** How many of the first rows a page has room for. */
const fitting = (rows: ReadonlyArray<{ readonly editBytes: string }>): number => {
  let bytes = 0
  const beyond = rows.findIndex((row, at) => (bytes += Number(row.editBytes)) > PAGE_BYTES && at > 0)
  return beyond === -1 ? rows.length : beyond
}

const newestExports = (db: Db, projectIds: ReadonlyArray<string>, active: boolean): Promise<Array<ExportOfProject>> =>
  db
    .selectDistinctOn([exports_.projectId], { projectId: exports_.projectId, id: exports_.id })
    .from(exports_)
    .where(
      and(
        inArray(exports_.projectId, [...projectIds]),
        active ? inArray(exports_.status, ["pending", "processing"]) : undefined
      )
    )
    .orderBy(exports_.projectId, desc(exports_.id))

const exportFor = (rows: ReadonlyArray<ExportOfProject>, projectId: string): ExportId | null => {
  const found = rows.find((row) => row.projectId === projectId)
  return found === undefined ? null : ExportId.make(found.id)
}
