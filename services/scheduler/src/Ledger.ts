import { ExportError, ExportStatus, Family, VideoCodec } from "@reelay/contracts/Export"
import { AttemptId, ExportId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import { FailureKind } from "@reelay/contracts/messages/Messages"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Database } from "@reelay/platform/Database"
import { DatabaseError } from "@reelay/platform/DatabaseError"
import { planOf, specOf } from "@reelay/platform/Rows"
import type { RowError } from "@reelay/platform/Rows"
import { attempts, exports_, farm } from "@reelay/platform/Tables"
import { and, desc, eq, inArray, sql } from "drizzle-orm"
import { Context, Effect, Exit, Layer, Option, Schema } from "effect"
import type { AttemptFacts, Command, PastAttempt, Row } from "./Events.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

const SurveyRow = Schema.Struct({ id: ExportId, status: ExportStatus, epoch: Schema.Int })
const EndedRow = Schema.Struct({ id: ExportId, user: UserId, status: ExportStatus, epoch: Schema.Int })
const ReadRow = Schema.Struct({
  id: ExportId,
  user: UserId,
  status: ExportStatus,
  epoch: Schema.Int,
  priority: Schema.Literals(["low", "normal", "high"]),
  codec: VideoCodec,
  labels: Schema.Array(Schema.String),
  frames: Schema.Int,
  changedMillis: Schema.Finite,
  noSmartCut: Schema.Boolean
})
const PastRow = Schema.Struct({
  id: AttemptId,
  epoch: Schema.Int,
  task: TaskKey,
  kind: FailureKind,
  nodeId: NodeId,
  family: Schema.NullOr(Family),
  error: ExportError
})
const decodeSurvey = Schema.decodeUnknownSync(Schema.Array(SurveyRow))
const decodeEnded = Schema.decodeUnknownSync(Schema.Array(EndedRow))
const decodeRow = Schema.decodeUnknownOption(ReadRow)
const decodePast = Schema.decodeUnknownSync(Schema.Array(PastRow))
const encodeError = Schema.encodeSync(ExportError)

/** By the primary key: no index says when exports ended. */
const LATELY = 5000

const URGENCY = { high: 0, normal: 1, low: 2 } as const
const rowColumns = {
  id: exports_.id,
  user: exports_.userId,
  status: exports_.status,
  epoch: exports_.epoch,
  priority: exports_.priority,
  codec: sql<unknown>`${exports_.spec}->'target'->>'codec'`,
  labels: exports_.nodeLabels,
  frames: exports_.frames,
  changedMillis: sql<number>`(extract(epoch from ${exports_.updatedAt}) * 1000)::float8`,
  // Nobody has tried anything of a new one. (Drizzle names no tables where there is one.)
  noSmartCut: sql<boolean>`exports.epoch > 0 and exists
    (select from attempts as failed where failed.export_id = exports.id and failed.kind = 'smartcut')`
}
const rowOf = ({ priority, ...row }: typeof ReadRow.Type): Row => ({ ...row, urgency: URGENCY[priority] })

/** What `start` writes, as JSON: the plan is that already. */
const startOf = ({ epoch, from, id, plan, stored }: Of<"Start">): string =>
  `{"plan":${stored},${JSON.stringify({ id, from, epoch, encoder: plan.family }).slice(1)}`

/** One parameter for however many: the statement's text stays the same, which Postgres and its driver know by then. */
const among = (ids: ReadonlyArray<ExportId>) => sql`${exports_.id} = any(${`{${ids.join()}}`}::uuid[])`

const isActive = inArray(exports_.status, ["pending", "processing"])
/** A JSON parameter: as text, since a value that is text already would be encoded once more. */
const json = (value: unknown) => sql`${JSON.stringify(value)}::text::jsonb`

/**
 * The scheduler's part of the table `exports`. Every write is one statement for many rows, each under its own
 * condition (status and epoch): it says which of them were ours to make. The status that a row must have comes with its
 * item: as a constant it would lead Postgres to the index of active rows, and to reading all of them. What Postgres refuses for good (a trigger, a
 * constraint) is a DatabaseError with the reason `conflict`.
 */
export class Ledger extends Context.Service<
  Ledger,
  {
    readonly survey: Effect.Effect<ReadonlyArray<typeof SurveyRow.Type>, DatabaseError>
    /** The rows that are there. `unreadable`: what a newer version wrote, for instance; one such row is nobody else's trouble. */
    rows(
      ids: ReadonlyArray<ExportId>
    ): Effect.Effect<{ readonly rows: ReadonlyArray<Row>; readonly unreadable: ReadonlyArray<ExportId> }, DatabaseError>
    /** One answer for each, in order; null where there is no such row. */
    specs(ids: ReadonlyArray<ExportId>): ReturnType<typeof readSpecs>
    /** The plan of a processing export, what failed in this epoch, and for how many seconds it has run. */
    running(id: ExportId): ReturnType<typeof readRunning>
    /** → `processing`, next epoch, with its plan. */
    start(commands: ReadonlyArray<Of<"Start">>): Effect.Effect<ReadonlySet<ExportId>, DatabaseError>
    complete(commands: ReadonlyArray<Of<"Complete">>): Effect.Effect<ReadonlySet<ExportId>, DatabaseError>
    fail(commands: ReadonlyArray<Of<"Fail">>): Effect.Effect<ReadonlySet<ExportId>, DatabaseError>
    recordAttempt(facts: AttemptFacts): Effect.Effect<void, DatabaseError>
    readonly paused: Effect.Effect<boolean, DatabaseError>
    /** Exports that ended after an instant (milliseconds since 1970), of the last few thousand that were accepted. */
    endedSince(millis: number): Effect.Effect<ReadonlyArray<typeof EndedRow.Type>, DatabaseError>
  }
>()("@reelay/scheduler/Ledger") {
  static readonly layer = Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const database = yield* Database

      const move = (name: string, statement: ReturnType<typeof sql>) =>
        database
          .query(name, (db) => db.execute<{ id: string }>(statement))
          .pipe(Effect.map((rows) => new Set([...rows].map((row) => ExportId.make(row.id)))))

      return Ledger.of({
        survey: database
          .query("survey", (db) =>
            db
              .select({ id: exports_.id, status: exports_.status, epoch: exports_.epoch })
              .from(exports_)
              .where(isActive)
          )
          .pipe(Effect.map(decodeSurvey)),

        rows: (ids) =>
          database
            .query("rows", (db) => db.select(rowColumns).from(exports_).where(among(ids)))
            .pipe(
              Effect.map((found) => {
                const rows: Array<Row> = []
                const unreadable: Array<ExportId> = []
                for (const raw of found) {
                  const row = decodeRow(raw)
                  if (Option.isSome(row)) rows.push(rowOf(row.value))
                  else unreadable.push(ExportId.make(raw.id))
                }
                return { rows, unreadable }
              })
            ),

        specs: (ids) => readSpecs(database, ids),
        running: (id) => readRunning(database, id),

        start: (commands) =>
          move(
            "start",
            sql`update exports as e set status = 'processing', epoch = e.epoch + 1, plan = v.plan, encoder = v.encoder,
              started_at = coalesce(e.started_at, now())
            from jsonb_to_recordset(${`[${commands.map(startOf).join()}]`}::text::jsonb) as v(id uuid, "from" text, epoch int, encoder text, plan jsonb)
            where e.id = v.id and e.status = v."from"::export_status and e.epoch = v.epoch returning e.id`
          ),

        complete: (commands) =>
          move(
            "complete",
            sql`update exports as e set status = 'completed', outputs = v.outputs, completed_at = now()
            from jsonb_to_recordset(${json(commands.map(({ epoch, id, outputs }) => ({ id, from: "processing", epoch, outputs })))})
              as v(id uuid, "from" text, epoch int, outputs jsonb)
            where e.id = v.id and e.status = v."from"::export_status and e.epoch = v.epoch returning e.id`
          ),

        fail: (commands) =>
          move(
            "fail",
            sql`update exports as e set status = 'failed', error = v.error, completed_at = now()
            from jsonb_to_recordset(${json(
              commands.map(({ epoch, error, from, id }) => ({ id, from, epoch, error: encodeError(error) }))
            )}) as v(id uuid, "from" text, epoch int, error jsonb)
            where e.id = v.id and e.status = v."from"::export_status and e.epoch = v.epoch returning e.id`
          ),

        recordAttempt: (facts) =>
          database
            .query("attempt", (db) =>
              db
                .insert(attempts)
                .values({
                  id: facts.attempt,
                  exportId: facts.id,
                  userId: facts.user,
                  epoch: facts.epoch,
                  task: facts.task,
                  kind: facts.kind,
                  nodeId: facts.nodeId,
                  family: facts.family,
                  error: encodeError(facts.error),
                  // What ffmpeg says may quote its input, and Postgres has no text with this in it.
                  log: facts.log.replaceAll("\0", ""),
                  seconds: facts.seconds
                })
                // The same report, delivered again.
                .onConflictDoNothing()
            )
            .pipe(Effect.asVoid),

        endedSince: (millis) =>
          database
            .query("ended", (db) => {
              const { completedAt, epoch, id, status, userId: user } = exports_
              const lately = db
                .select({ id, user: sql<string>`${user}`.as("user"), status, epoch, completedAt })
                .from(exports_)
                .orderBy(desc(id))
                .limit(LATELY)
                .as("lately")
              return db
                .select({ id: lately.id, user: lately.user, status: lately.status, epoch: lately.epoch })
                .from(lately)
                .where(sql`${lately.completedAt} > to_timestamp(${millis / 1000}::float8)`)
                .orderBy(lately.completedAt)
            })
            .pipe(Effect.map(decodeEnded)),

        paused: database
          .query("paused", (db) => db.select({ paused: farm.paused }).from(farm))
          .pipe(Effect.map((rows) => rows[0]?.paused ?? false))
      })
    })
  )
}

const readSpecs = Effect.fnUntraced(function* (database: Database["Service"], ids: ReadonlyArray<ExportId>) {
  const read = yield* database
    .query("specs", (db) => db.select({ id: exports_.id, spec: exports_.spec }).from(exports_).where(among(ids)))
    .pipe(Effect.exit)
  if (Exit.isFailure(read)) return ids.map(() => Exit.failCause(read.cause))
  const rows = new Map<string, (typeof read.value)[number]>(read.value.map((row) => [row.id, row]))
  return yield* Effect.forEach(ids, (id) => {
    const row = rows.get(id)
    return Effect.exit<RenderSpec | null, RowError | DatabaseError, never>(
      row === undefined ? Effect.succeed(null) : specOf(row)
    )
  })
})

const readRunning = Effect.fnUntraced(function* (database: Database["Service"], id: ExportId) {
  const [row] = yield* database.query("plan", (db) =>
    db
      .select({
        id: exports_.id,
        epoch: exports_.epoch,
        plan: exports_.plan,
        spec: exports_.spec,
        seconds: sql<number>`extract(epoch from now() - ${exports_.startedAt})::float8`
      })
      .from(exports_)
      .where(and(eq(exports_.id, id), eq(exports_.status, "processing")))
  )
  if (row === undefined) return null
  const plan = yield* planOf(row)
  if (plan === null) return null
  const past = yield* database.query("attempts", (db) =>
    db
      .select({
        id: attempts.id,
        epoch: attempts.epoch,
        task: attempts.task,
        kind: attempts.kind,
        nodeId: attempts.nodeId,
        family: attempts.family,
        error: attempts.error
      })
      .from(attempts)
      .where(eq(attempts.exportId, id))
  )
  const known: ReadonlyArray<PastAttempt> = yield* Effect.try({
    try: () => decodePast(past),
    catch: (cause) => new DatabaseError({ query: "attempts", reason: "unexpected", constraint: null, cause })
  })
  return { plan, runningSeconds: Math.max(0, row.seconds), attempts: known }
})
