import { ExportId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { makeBatch } from "@reelay/platform/Batch"
import { Database } from "@reelay/platform/Database"
import type { Db, Transaction } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { exportColumns } from "@reelay/platform/Rows"
import { exports_ } from "@reelay/platform/Tables"
import { sql } from "drizzle-orm"
import type { InferSelectModel } from "drizzle-orm"
import { Effect, Exit, Schema } from "effect"
import { admit, WINDOW } from "./RateLimit.ts"
import type { Allowance } from "./RateLimit.ts"

/** What acceptance decides of a row; the rest is what every export begins with. */
export type NewExport = Omit<
  InferSelectModel<typeof exports_>,
  | "epoch"
  | "status"
  | "encoder"
  | "plan"
  | "outputs"
  | "bytes"
  | "error"
  | "createdAt"
  | "startedAt"
  | "updatedAt"
  | "completedAt"
> & {
  readonly id: ExportId
  /** Of its spec, as JSON. */
  readonly specBytes: number
  /** Of its spec: they are held against deletion until the row that needs them is there. */
  readonly sources: ReadonlyArray<string>
  readonly images: ReadonlyArray<string>
}

export type Inserted =
  /** Committed, at an instant of Postgres' clock. `allowance` is null where there is no limit. */
  | { readonly _tag: "accepted"; readonly createdAt: string; readonly allowance: Allowance | null }
  /** The owner's key was used before, by a row that is or was there. */
  | { readonly _tag: "repeated" }
  /** A video or an image of it is not there (any more). */
  | { readonly _tag: "gone" }
  | { readonly _tag: "limited"; readonly allowance: Allowance }

/** Rows in one statement, and bytes of their specs: most have a few kilobytes, some a few megabytes. */
const MOST = 64
const MOST_BYTES = 8 * 1024 * 1024
/** Statements at once: while one waits for a video that is just being deleted, the others go on. */
const LANES = 2

/**
 * Inserts, each answered when it is committed. What comes while an insert is under way shares the next: one statement and
 * one commit for all of them, or, under a `limit` (exports an hour and user), one transaction.
 */
export const makeNewExports = Effect.fnUntraced(function* (limit: number | null) {
  const database = yield* Database
  const write = (rows: ReadonlyArray<NewExport>) =>
    limit === null
      ? Effect.map(
          database.query("exports.accept", (db) => insert(db, rows)),
          (made) => rows.map((row) => outcomeOf(row, made, null))
        )
      : database.transaction("exports.accept", (tx) => insertWithin(tx, rows, limit))
  return makeBatch<NewExport, Inserted, DatabaseError>({
    most: MOST,
    weight: { of: ({ specBytes }) => specBytes, most: MOST_BYTES },
    lanes: LANES,
    run: (rows) => Effect.map(write(rows), (outcomes) => outcomes.map((outcome) => Exit.succeed(outcome))),
    isForAll: (error) => error.isAway
  })
})

/** The exports that keys stand for, looked up together; null for a key that is new. */
export const makeKeys = Effect.gen(function* () {
  const database = yield* Database
  return makeBatch({
    most: MOST,
    isForAll: (error: DatabaseError) => error.isAway,
    run: Effect.fnUntraced(function* (asked: ReadonlyArray<{ readonly userId: UserId; readonly key: string }>) {
      const rows = yield* database.query("exports.byKey", (db) =>
        db
          .select({ ...exportColumns, key: exports_.idempotencyKey, requestDigest: exports_.requestDigest })
          .from(exports_)
          .where(
            sql`(${exports_.userId}, ${exports_.idempotencyKey}) in (
              select "userId", key from jsonb_to_recordset(${json(asked)}) as asked ("userId" text, key text)
            )`
          )
      )
      return asked.map(({ key, userId }) =>
        Exit.succeed(rows.find((row) => row.key === key && row.userId === userId) ?? null)
      )
    })
  })
})

const MadeRow = Schema.Struct({ id: ExportId, createdAt: Schema.String })
const decodeMade = Schema.decodeUnknownSync(Schema.Array(MadeRow))
const KnownRow = Schema.Struct({ id: ExportId })
const decodeKnown = Schema.decodeUnknownSync(Schema.Array(KnownRow))
/** When they were made, or null when their key was used before; those whose videos and images are not all there are missing. */
type Made = ReadonlyMap<ExportId, string | null>

/** A JSON parameter: as text, since a value that is text already would be encoded once more. */
const json = (value: unknown) => sql`${JSON.stringify(value)}::text::jsonb`

/**
 * The order is for other processes that insert the same keys at that moment: whoever waits for whom, none waits in a
 * circle.
 */
const insert = async (db: Db | Transaction, rows: ReadonlyArray<NewExport>): Promise<Made> => {
  const inserted =
    await db.execute(sql`insert into exports (id, user_id, project_id, video_id, segments, type, delivery, settings, priority, node_labels,
      idempotency_key, request_digest, spec, frames, duration_micros)
    with asked as materialized (
      select * from jsonb_to_recordset(${json(rows)}) as asked (
        id uuid, "userId" text, "projectId" uuid, "videoId" uuid, segments jsonb, type text, delivery text, settings jsonb,
        priority text, "nodeLabels" jsonb, "idempotencyKey" text, "requestDigest" text, spec jsonb, frames bigint,
        "durationMicros" bigint, sources uuid[], images uuid[])
    ), held as materialized (
      select id, user_id from videos where id in (select unnest(sources) from asked) for key share
    ), held_images as materialized (
      select id, user_id from images where id in (select unnest(asked.images) from asked) for key share
    )
    select id, "userId", "projectId", "videoId", segments, type, delivery, settings, priority, "nodeLabels",
      "idempotencyKey", "requestDigest", spec, frames, "durationMicros"
    from asked
    where cardinality(sources) =
      (select count(*) from held where held.id = any (asked.sources) and held.user_id = asked."userId")
      and cardinality(asked.images) =
      (select count(*) from held_images as held where held.id = any (asked.images) and held.user_id = asked."userId")
    order by "userId", "idempotencyKey", id
    on conflict (user_id, idempotency_key) do nothing
    returning id, created_at as "createdAt"`)
  const made = new Map<ExportId, string | null>(decodeMade([...inserted]).map((row) => [row.id, row.createdAt]))
  const refused = rows.filter((row) => !made.has(row.id) && row.idempotencyKey !== null)
  if (refused.length === 0) return made
  // Seldom: whose key was it? Whoever held it up has committed by now.
  const known = await db.execute(sql`
    select asked.id
    from jsonb_to_recordset(${json(refused.map(({ id, idempotencyKey, userId }) => ({ id, userId, idempotencyKey })))})
      as asked (id uuid, "userId" text, "idempotencyKey" text)
    join exports on exports.user_id = asked."userId" and exports.idempotency_key = asked."idempotencyKey"`)
  for (const row of decodeKnown([...known])) made.set(row.id, null)
  return made
}

const outcomeOf = (row: NewExport, made: Made, allowance: Allowance | null): Inserted => {
  const createdAt = made.get(row.id)
  if (createdAt === undefined) return { _tag: "gone" }
  return createdAt === null ? { _tag: "repeated" } : { _tag: "accepted", createdAt, allowance }
}

const CountedRow = Schema.Struct({
  id: ExportId,
  known: Schema.Boolean,
  count: Schema.Int,
  oldest: Schema.NullOr(Schema.Finite)
})
const decodeCounted = Schema.decodeUnknownSync(Schema.Array(CountedRow))

/** A user's exports are counted and made by one transaction at a time, so that a burst gets no more than its due. */
const insertWithin = async (
  tx: Transaction,
  rows: ReadonlyArray<NewExport>,
  limit: number
): Promise<ReadonlyArray<Inserted>> => {
  const users = json([...new Set(rows.map((row) => row.userId))])
  // In the order of the locks, which is the same for everyone.
  await tx.execute(sql`
    select pg_advisory_xact_lock(lock) from (
      select distinct hashtextextended('accept:' || "userId", 0) as lock
      from jsonb_array_elements_text(${users}) as "userId" order by 1
    ) as locks`)
  // A statement of its own: it sees whatever was committed until the locks were had.
  const counted = await tx.execute(sql`
    select asked.id, used.count, used.oldest, exists (
      select from exports where user_id = asked."userId" and idempotency_key = asked."idempotencyKey"
    ) as known
    from jsonb_to_recordset(${json(rows.map(({ id, idempotencyKey, userId }) => ({ id, userId, idempotencyKey })))})
      as asked (id uuid, "userId" text, "idempotencyKey" text)
    join (
      select "userId", latest.* from jsonb_array_elements_text(${users}) as "userId", lateral (
        select count(*)::int as count, max(age) as oldest from (
          select extract(epoch from clock_timestamp() - created_at)::float8 as age from exports
          where user_id = "userId" and created_at > now() - make_interval(secs => ${WINDOW})
          order by created_at desc limit ${limit}
        ) as ages
      ) as latest
    ) as used using ("userId")`)
  const facts = new Map(decodeCounted([...counted]).map((row) => [row.id, row]))
  const asked = rows.map((row) => {
    const used = facts.get(row.id)
    if (used === undefined) throw new Error("an export was not counted")
    return { row, userId: row.userId, key: row.idempotencyKey, known: used.known, used }
  })
  const judged = admit(limit, asked)
  const admitted = judged.filter(({ verdict }) => verdict._tag === "admitted").map(({ row }) => row)
  const made: Made = admitted.length === 0 ? new Map() : await insert(tx, admitted)
  return judged.map(({ row, verdict }) =>
    verdict._tag === "admitted" ? outcomeOf(row, made, verdict.allowance) : verdict
  )
}
