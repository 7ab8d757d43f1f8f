import type { ExportSort } from "@reelay/contracts/api/Exports"
import type { Attempt, Export, Progress } from "@reelay/contracts/Export"
import { isTerminal } from "@reelay/contracts/Export"
import { ExportId } from "@reelay/contracts/Ids"
import type { ProjectId, UserId } from "@reelay/contracts/Ids"
import { NotCompleted, NotFound } from "@reelay/contracts/Problem"
import type { Validation } from "@reelay/contracts/Problem"
import type { Plan } from "@reelay/contracts/Plan"
import { Database } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { attemptOf, exportColumns, exportOf, outputsOf, planOf } from "@reelay/platform/Rows"
import type { ExportRow } from "@reelay/platform/Rows"
import { attempts, exports_ } from "@reelay/platform/Tables"
import { progressOf } from "@reelay/render/Progress"
import { and, asc, count, desc, eq, gt, inArray, sql } from "drizzle-orm"
import { Context, DateTime, Effect, Layer } from "effect"
import { decodeCursor, pageOf } from "./Cursor.ts"
import { matching, ORDERS } from "./ExportQueries.ts"
import type { ExportFilter } from "./ExportQueries.ts"
import type { MediaFile } from "./MediaFiles.ts"
import type { Trouble } from "./Trouble.ts"
import type { PageOf, PageRequest } from "./Videos.ts"

/** The most that `active` and `recent`, which have no pages, answer with. */
const SHORT_LIST = 500

/** Exports as they are. What changes them is Acceptance's and ExportChanges' matter. */
export class Exports extends Context.Service<
  Exports,
  {
    list(
      owner: UserId,
      filter: ExportFilter,
      sort: ExportSort,
      page: PageRequest
    ): Effect.Effect<PageOf<Export>, Validation | Trouble>
    /** What waits or runs, the oldest first. */
    active(owner: UserId, project: ProjectId | undefined): Effect.Effect<ReadonlyArray<Export>, Trouble>
    /** What was asked for or ended within the last hours, the latest first. */
    recent(owner: UserId, project: ProjectId | undefined, hours: number): Effect.Effect<ReadonlyArray<Export>, Trouble>
    get(owner: UserId, id: ExportId): Effect.Effect<Export, NotFound | Trouble>
    progress(owner: UserId, id: ExportId): Effect.Effect<Progress, NotFound | Trouble>
    /** `log` is for operators, and empty for others. */
    attempts(owner: UserId, id: ExportId, operator: boolean): Effect.Effect<ReadonlyArray<Attempt>, NotFound | Trouble>
    /** Anyone's: it is for operators. */
    plan(id: ExportId): Effect.Effect<Plan, NotFound | Trouble>
    /** The finished file. `owner` null: whoever asks was let in by a signed URL. */
    content(owner: UserId | null, id: ExportId): Effect.Effect<MediaFile, NotFound | NotCompleted | Trouble>
    poster(owner: UserId | null, id: ExportId): Effect.Effect<MediaFile, NotFound | NotCompleted | Trouble>
  }
>()("@reelay/api/Exports") {
  static readonly layer = Layer.effect(
    Exports,
    Effect.gen(function* () {
      const database = yield* Database
      const live = yield* LiveFarm
      const store = yield* ObjectStore

      const shown = Effect.fnUntraced(function* (row: ExportRow) {
        return yield* exportOf(row, yield* live.liveOf(ExportId.make(row.id)))
      })

      /** A row that cannot be read (a newer version's, perhaps) is left out, and spoils nobody's list. */
      const listed = Effect.fnUntraced(function* (rows: ReadonlyArray<ExportRow>) {
        const found = yield* Effect.forEach(rows, (row) =>
          shown(row).pipe(
            Effect.map((value) => [value]),
            Effect.catchTag("RowError", (error) =>
              Effect.as(Effect.logError("an export's row cannot be read", error), [])
            )
          )
        )
        return found.flat()
      })

      const find = Effect.fnUntraced(function* (owner: UserId | null, id: ExportId) {
        const [row] = yield* database.query("exports.get", (db) =>
          db
            .select(exportColumns)
            .from(exports_)
            .where(and(eq(exports_.id, id), owner === null ? undefined : eq(exports_.userId, owner)))
        )
        return row ?? (yield* new NotFound({ detail: "There is no such export." }))
      })

      const output = Effect.fnUntraced(function* (owner: UserId | null, id: ExportId) {
        const row = yield* find(owner, id)
        if (row.status !== "completed") return yield* new NotCompleted({ detail: `The export is ${row.status}.` })
        const [stored] = yield* outputsOf(row)
        return stored ?? (yield* new NotFound({ detail: "The export has no file." }))
      })

      return Exports.of({
        list: Effect.fn("Exports.list")(function* (owner, filter, sort, page) {
          const order = ORDERS[sort]
          const after = yield* decodeCursor(sort, page.cursor, order.isKey)
          const matches = matching(owner, filter)
          const [rows, total] = yield* database.query("exports.list", (db) =>
            Promise.all([
              db
                .select(exportColumns)
                .from(exports_)
                .where(and(matches, after === null ? undefined : order.after(after)))
                .orderBy(...order.by)
                .limit(page.limit + 1),
              db.select({ total: count() }).from(exports_).where(matches)
            ])
          )
          const { items, nextCursor } = pageOf(rows, page.limit, sort, (row) => ({ key: order.keyOf(row), id: row.id }))
          return { items: yield* listed(items), nextCursor, total: total[0]?.total ?? 0 }
        }),

        active: Effect.fn("Exports.active")(function* (owner, projectId) {
          const rows = yield* database.query("exports.active", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(and(matching(owner, { projectId }), inArray(exports_.status, ["pending", "processing"])))
              .orderBy(...ORDERS.createdAt.by)
              .limit(SHORT_LIST)
          )
          return yield* listed(rows)
        }),

        recent: Effect.fn("Exports.recent")(function* (owner, projectId, hours) {
          const moved = sql`coalesce(${exports_.completedAt}, ${exports_.createdAt})`
          const since = sql`now() - make_interval(secs => ${hours * 3600})`
          const rows = yield* database.query("exports.recent", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(
                // A row is never stamped before it moved: by its stamp the index leads to the few that may be meant.
                and(matching(owner, { projectId }), gt(exports_.updatedAt, since), gt(moved, since))
              )
              .orderBy(desc(moved), desc(exports_.id))
              .limit(SHORT_LIST)
          )
          return yield* listed(rows)
        }),

        get: Effect.fn("Exports.get")(function* (owner, id) {
          return yield* shown(yield* find(owner, id))
        }),

        progress: Effect.fn("Exports.progress")(function* (owner, id) {
          const found = yield* shown(yield* find(owner, id))
          return found.progress ?? (yield* restingProgress(found, yield* live.progressOf(id)))
        }),

        attempts: Effect.fn("Exports.attempts")(function* (owner, id, operator) {
          yield* find(owner, id)
          const rows = yield* database.query("exports.attempts", (db) =>
            db.select().from(attempts).where(eq(attempts.exportId, id)).orderBy(asc(attempts.id))
          )
          return yield* Effect.forEach(rows, (row) => attemptOf(operator ? row : { ...row, log: "" }))
        }),

        plan: Effect.fn("Exports.plan")(function* (id) {
          const [row] = yield* database.query("exports.plan", (db) =>
            db
              .select({ id: exports_.id, plan: exports_.plan, spec: exports_.spec })
              .from(exports_)
              .where(eq(exports_.id, id))
          )
          const plan = row === undefined ? null : yield* planOf(row)
          return plan ?? (yield* new NotFound({ detail: "There is no such export, or it has no plan." }))
        }),

        content: Effect.fn("Exports.content")(function* (owner, id) {
          const { object, output: file } = yield* output(owner, id)
          return {
            location: { _tag: "object", key: object },
            bytes: file.bytes,
            tag: file.sha256,
            contentType: file.contentType,
            name: file.name
          }
        }),

        poster: Effect.fn("Exports.poster")(function* (owner, id) {
          const { output: file, poster } = yield* output(owner, id)
          const head = poster === null ? null : yield* store.head(poster)
          if (poster === null || head === null) return yield* new NotFound({ detail: "This export has no poster." })
          return {
            location: { _tag: "object", key: poster },
            bytes: head.size,
            tag: `${file.sha256}-poster`,
            contentType: "image/jpeg",
            name: "poster.jpg"
          }
        })
      })
    })
  )
}

/**
 * What the row and the queue say: before anything moves, after all is over, or while nothing is heard from the farm. What
 * ended stays where it was `heard` last.
 */
const restingProgress = Effect.fnUntraced(function* (found: Export, heard: Progress | null) {
  const now = yield* DateTime.now
  const end = found.completedAt ?? now
  const elapsed =
    found.startedAt === null ? 0 : (DateTime.toEpochMillis(end) - DateTime.toEpochMillis(found.startedAt)) / 1000
  return progressOf(
    {
      epoch: found.epoch,
      status: found.status,
      queuePosition: found.queuePosition,
      paused: found.paused === true,
      framesTotal: found.frames,
      framesDone: 0,
      finishingDone: 0,
      finishingTotal: 0,
      encodingBegan: isTerminal(found.status),
      speed: null,
      elapsedSeconds: Math.max(0, elapsed),
      frameRate: found.duration > 0 ? found.frames / found.duration : 1
    },
    isTerminal(found.status) ? heard : null
  )
})
