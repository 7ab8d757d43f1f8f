import type { Export } from "@reelay/contracts/Export"
import { ExportId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { exportColumns, exportOf, NOT_LIVE } from "@reelay/platform/Rows"
import type { ExportRow } from "@reelay/platform/Rows"
import { exports_ } from "@reelay/platform/Tables"
import { and, desc, eq, gt, inArray, or, sql } from "drizzle-orm"
import { Context, Effect, Layer, Option, Schedule } from "effect"

/** Which exports a client asked for. */
export type Which = "all" | ReadonlySet<ExportId>

/** `unreadable`: they are there, and nothing can be said of them here (a newer version wrote them, perhaps). */
export interface Reading {
  readonly found: ReadonlyArray<Export>
  readonly unreadable: ReadonlySet<string>
}

/** The most that a snapshot or a replay holds. */
export const SNAPSHOT_LIMIT = 500
const ACTIVE = ["pending", "processing"] as const
const RETRY = Schedule.spaced("1 second")
/** Ids of rows that could not be read, so that each is complained about once. */
const COMPLAINTS = 1000

const among = (which: Which) => (which === "all" ? undefined : inArray(exports_.id, [...which]))

/**
 * Exports as their owners see them. Reading waits for Postgres however long it is away: a client loses nothing by
 * hearing later. A row that does not decode is left out, and said once.
 */
export class OwnExports extends Context.Service<
  OwnExports,
  {
    /** What a client is shown first: what is active or changed within a day, or exactly what it named. Newest first. */
    recent(user: UserId, which: Which): Effect.Effect<ReadonlyArray<Export>>
    /** What changed after that time (milliseconds since 1970, by Postgres' clock); null: too much to tell one by one. */
    changedSince(user: UserId, which: Which, millis: number): Effect.Effect<ReadonlyArray<Export> | null>
    /** Those that are there. */
    present(ids: ReadonlyArray<ExportId>): Effect.Effect<Reading>
    /** Everything active of these users, and those named whatever became of them. */
    active(users: ReadonlyArray<UserId>, ids: ReadonlyArray<ExportId>): Effect.Effect<Reading>
  }
>()("@reelay/notifier/OwnExports") {
  static readonly layer = Layer.effect(
    OwnExports,
    Effect.gen(function* () {
      const database = yield* Database
      const farm = yield* LiveFarm
      const complained = new Set<string>()

      const decode = Effect.fnUntraced(function* (row: ExportRow) {
        const id = ExportId.makeOption(row.id)
        const live = Option.isSome(id) ? yield* farm.liveOf(id.value) : NOT_LIVE
        return yield* exportOf(row, live).pipe(
          Effect.catch((error) => {
            if (complained.has(row.id) || complained.size >= COMPLAINTS) return Effect.succeed(null)
            complained.add(row.id)
            return Effect.as(Effect.logError("an export's row cannot be read", error), null)
          })
        )
      })
      const read = (name: string, run: (db: Db) => Promise<ReadonlyArray<ExportRow>>) =>
        database.query(name, run).pipe(
          Effect.tapError((error) =>
            error.reason === "unavailable" ? Effect.void : Effect.logError("exports cannot be read", error)
          ),
          Effect.retry(RETRY),
          Effect.orDie,
          Effect.flatMap(
            Effect.fnUntraced(function* (rows) {
              const found: Array<Export> = []
              const unreadable = new Set<string>()
              for (const row of rows) {
                const value = yield* decode(row)
                if (value !== null) found.push(value)
                else unreadable.add(row.id)
              }
              return { found, unreadable } satisfies Reading
            })
          )
        )
      const readable = Effect.map(({ found }: Reading) => found)

      return OwnExports.of({
        recent: Effect.fn("OwnExports.recent")((user, which) =>
          read("exports recent", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(
                and(
                  eq(exports_.userId, user),
                  which === "all"
                    ? or(
                        inArray(exports_.status, [...ACTIVE]),
                        gt(exports_.updatedAt, sql`now() - interval '24 hours'`)
                      )
                    : among(which)
                )
              )
              .orderBy(desc(exports_.id))
              .limit(SNAPSHOT_LIMIT)
          ).pipe(readable)
        ),
        changedSince: Effect.fn("OwnExports.changedSince")((user, which, millis) =>
          read("exports changed", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(
                and(eq(exports_.userId, user), among(which), gt(exports_.updatedAt, new Date(millis).toISOString()))
              )
              .orderBy(exports_.updatedAt)
              .limit(SNAPSHOT_LIMIT + 1)
          ).pipe(
            readable,
            Effect.map((found) => (found.length > SNAPSHOT_LIMIT ? null : found))
          )
        ),
        present: Effect.fn("OwnExports.present")((ids) =>
          read("exports present", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(inArray(exports_.id, [...ids]))
          )
        ),
        active: Effect.fn("OwnExports.active")((users, ids) =>
          read("exports active", (db) =>
            db
              .select(exportColumns)
              .from(exports_)
              .where(
                or(
                  and(inArray(exports_.status, [...ACTIVE]), inArray(exports_.userId, [...users])),
                  inArray(exports_.id, [...ids])
                )
              )
          )
        )
      })
    })
  )
}
