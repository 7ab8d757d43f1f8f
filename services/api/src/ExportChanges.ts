import type { Export } from "@reelay/contracts/Export"
import { ExportId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import * as Keys from "@reelay/contracts/ObjectKeys"
import { Conflict, NotFound, VideoNotFound } from "@reelay/contracts/Problem"
import { Database } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { exportColumns, exportOf } from "@reelay/platform/Rows"
import type { ExportRow } from "@reelay/platform/Rows"
import { exports_, images, videos } from "@reelay/platform/Tables"
import { and, eq, inArray, sql } from "drizzle-orm"
import type { Column, SQL } from "drizzle-orm"
import { Context, Effect, Layer } from "effect"
import { Doorbell } from "./Doorbell.ts"
import type { Trouble } from "./Trouble.ts"

/** What an owner does to an export. Each is one conditional statement: whoever else moves it at that moment, one wins. */
export class ExportChanges extends Context.Service<
  ExportChanges,
  {
    /** Cancelled at once, in the row; what still works on it is told. Cancelling twice is cancelling once. */
    cancel(owner: UserId, id: ExportId): Effect.Effect<Export, NotFound | Conflict | Trouble>
    /** Cancels what is active and answers with it; else row and files go, and null is the answer. */
    remove(owner: UserId, id: ExportId): Effect.Effect<Export | null, NotFound | Conflict | Trouble>
    /** A failed or cancelled export waits again, with the spec that it was accepted with. */
    retry(owner: UserId, id: ExportId): Effect.Effect<Export, NotFound | Conflict | VideoNotFound | Trouble>
  }
>()("@reelay/api/ExportChanges") {
  static readonly layer = Layer.effect(
    ExportChanges,
    Effect.gen(function* () {
      const database = yield* Database
      const doorbell = yield* Doorbell
      const live = yield* LiveFarm
      const store = yield* ObjectStore

      const mine = (owner: UserId, id: ExportId) => and(eq(exports_.id, id), eq(exports_.userId, owner))
      const shown = Effect.fnUntraced(function* (row: ExportRow) {
        return yield* exportOf(row, yield* live.liveOf(ExportId.make(row.id)))
      })
      const statusOf = Effect.fnUntraced(function* (owner: UserId, id: ExportId) {
        const [row] = yield* database.query("exports.status", (db) =>
          db.select(exportColumns).from(exports_).where(mine(owner, id))
        )
        return row ?? (yield* new NotFound({ detail: "There is no such export." }))
      })

      /** Null when there was nothing (of this owner's) to cancel. */
      const cancelActive = Effect.fnUntraced(function* (owner: UserId, id: ExportId) {
        const [row] = yield* database.query("exports.cancel", (db) =>
          db
            .update(exports_)
            .set({ status: "cancelled" })
            .where(and(mine(owner, id), inArray(exports_.status, ["pending", "processing"])))
            .returning(exportColumns)
        )
        if (row === undefined) return null
        yield* doorbell.announce({ _tag: "Cancel", v: 1, exportId: id })
        return yield* shown(row)
      })

      return ExportChanges.of({
        cancel: Effect.fn("ExportChanges.cancel")(function* (owner, id) {
          const cancelled = yield* cancelActive(owner, id)
          if (cancelled !== null) return cancelled
          const row = yield* statusOf(owner, id)
          if (row.status === "cancelled") return yield* shown(row)
          return yield* new Conflict({ detail: `The export is ${row.status} already.` })
        }),

        remove: Effect.fn("ExportChanges.remove")(function* (owner, id) {
          const cancelled = yield* cancelActive(owner, id)
          if (cancelled !== null) return cancelled
          const verdict = yield* database.transaction("exports.remove", async (tx) => {
            const [row] = await tx
              .select({ status: exports_.status })
              .from(exports_)
              .where(mine(owner, id))
              .for("update")
            if (row === undefined) return "missing"
            const [user] = await tx.select({ id: videos.id }).from(videos).where(eq(videos.fromExport, id)).limit(1)
            if (user !== undefined) return "used"
            const gone = await tx
              .delete(exports_)
              .where(and(mine(owner, id), inArray(exports_.status, ["completed", "failed", "cancelled"])))
              .returning({ id: exports_.id })
            return gone.length > 0 ? "removed" : "active"
          })
          switch (verdict) {
            case "missing":
              return yield* new NotFound({ detail: "There is no such export." })
            case "used":
              return yield* new Conflict({ detail: "A video is this export's file." })
            case "active":
              return yield* new Conflict({ detail: "The export began again meanwhile." })
            case "removed":
              // What stays behind after a crash here belongs to no row and is swept.
              yield* store.removeAll(Keys.exportFolder(owner, id))
              yield* store.removeAll(Keys.planFolder(owner, id))
              return null
          }
        }),

        retry: Effect.fn("ExportChanges.retry")(function* (owner, id) {
          const retried = yield* database.transaction("exports.retry", async (tx) => {
            // Held against their deletion until the row says again that it needs them.
            const sources = await tx
              .select({ id: videos.id })
              .from(videos)
              .where(named(videos.id, mine(owner, id), "sources", "videoId"))
              .for("key share")
            const drawn = await tx
              .select({ id: images.id })
              .from(images)
              .where(named(images.id, mine(owner, id), "images", "imageId"))
              .for("key share")
            const [row] = await tx
              .update(exports_)
              .set({ status: "pending" })
              .where(
                and(
                  mine(owner, id),
                  inArray(exports_.status, ["failed", "cancelled"]),
                  sql`jsonb_array_length(${exports_.spec} -> 'sources') = ${sources.length}`,
                  sql`jsonb_array_length(coalesce(${exports_.spec} -> 'images', '[]')) = ${drawn.length}`
                )
              )
              .returning(exportColumns)
            return row
          })
          if (retried !== undefined) {
            yield* doorbell.ring(owner, id)
            return yield* shown(retried)
          }
          const row = yield* statusOf(owner, id)
          if (row.status === "failed" || row.status === "cancelled") {
            return yield* new VideoNotFound({ detail: "A video or an image of this export has been deleted." })
          }
          return yield* new Conflict({ detail: `The export is ${row.status}.` })
        })
      })
    })
  )
}

/** Whether an id is one of those that an export's frozen spec lists. */
const named = (id: Column, isIt: SQL | undefined, list: "sources" | "images", key: "videoId" | "imageId") =>
  sql`${id} in (
    select (one ->> ${key})::uuid from ${exports_}, jsonb_array_elements(${exports_.spec} -> ${list}) as one where ${isIt}
  )`
