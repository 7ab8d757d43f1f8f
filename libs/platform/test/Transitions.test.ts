import { assert, describe, layer } from "@effect/vitest"
import type { ExportStatus } from "@reelay/contracts/Export"
import { newId, UserId, VideoId } from "@reelay/contracts/Ids"
import type { ExportId } from "@reelay/contracts/Ids"
import { Database } from "@reelay/platform/Database"
import type { Db } from "@reelay/platform/Database"
import { exports_ } from "@reelay/platform/Tables"
import * as Fixtures from "@reelay/platform/testing/Fixtures"
import { Infra } from "@reelay/platform/testing/Infra"
import { eq, sql } from "drizzle-orm"
import { Effect, Layer, Result } from "effect"
import * as fc from "fast-check"

const user = UserId.make("someone")
const STATUSES: ReadonlyArray<ExportStatus> = ["pending", "processing", "completed", "failed", "cancelled"]
const problem = {
  type: "urn:reelay:problem:render_error",
  title: "x",
  status: 500,
  detail: "y",
  code: "render_error"
} as const

interface State {
  readonly status: ExportStatus
  readonly epoch: number
}

interface Move {
  readonly to: ExportStatus
  readonly epochs: number
}

/** The rule, written once more and in another way: what may follow what. */
const FOLLOWS: Readonly<Record<ExportStatus, ReadonlyArray<ExportStatus>>> = {
  pending: ["processing", "failed", "cancelled"],
  processing: ["processing", "completed", "failed", "cancelled"],
  completed: [],
  failed: ["pending"],
  cancelled: ["pending"]
}
const isLegal = (from: State, { to, epochs }: Move): boolean =>
  FOLLOWS[from.status].includes(to) && epochs === (to === "processing" ? 1 : 0)
/** Saying again what is so is no move. */
const isNothing = (from: State, { to, epochs }: Move) => from.status === to && epochs === 0

/** What the mover writes; all else is the trigger's. */
const written = (id: ExportId, from: State, { to, epochs }: Move) => ({
  status: to,
  epoch: from.epoch + epochs,
  ...(to === "processing" ? { plan: planOf(id, from.epoch + epochs), encoder: "software" } : {}),
  ...(to === "completed" ? { outputs: [Fixtures.output] } : {}),
  ...(to === "failed" ? { error: problem } : {})
})
const frozenSpec = Fixtures.spec(user, newId(VideoId))
const planOf = (id: ExportId, epoch: number) => ({ ...Fixtures.plan(id, frozenSpec), reasons: [`epoch ${epoch}`] })

const stateOf = (db: Db, id: ExportId) =>
  db
    .select()
    .from(exports_)
    .where(eq(exports_.id, id))
    .then(([row]) => {
      assert.isDefined(row)
      return row
    })

const move = Effect.fnUntraced(function* (id: ExportId, from: State, wanted: Move) {
  const database = yield* Database
  return yield* database
    .query("move", (db) =>
      db
        .update(exports_)
        .set(written(id, from, wanted))
        .where(eq(exports_.id, id))
    )
    .pipe(Effect.asVoid, Effect.result)
})

const created = Effect.gen(function* () {
  const database = yield* Database
  return yield* database.query("create", async (db) =>
    Fixtures.insertExport(db, user, await Fixtures.insertVideo(db, user))
  )
})

const WAYS: Readonly<Record<ExportStatus, ReadonlyArray<Move>>> = {
  pending: [],
  processing: [{ to: "processing", epochs: 1 }],
  completed: [
    { to: "processing", epochs: 1 },
    { to: "completed", epochs: 0 }
  ],
  failed: [
    { to: "processing", epochs: 1 },
    { to: "failed", epochs: 0 }
  ],
  cancelled: [
    { to: "processing", epochs: 1 },
    { to: "cancelled", epochs: 0 }
  ]
}

/** An export that came to that status by legal moves. */
const exportAt = Effect.fnUntraced(function* (status: ExportStatus) {
  const id = yield* created
  let state: State = { status: "pending", epoch: 0 }
  for (const step of WAYS[status]) {
    assert.isTrue(Result.isSuccess(yield* move(id, state, step)))
    state = { status: step.to, epoch: state.epoch + step.epochs }
  }
  return { id, state }
})

layer(Database.layer.pipe(Layer.provideMerge(Infra.layer)), { excludeTestServices: true })(
  "exports in Postgres",
  (it) => {
    it.effect("every move is refused or done, exactly as the rule says", () =>
      Effect.gen(function* () {
        const database = yield* Database
        for (const from of STATUSES) {
          for (const to of STATUSES) {
            for (const epochs of [-1, 0, 1, 2]) {
              const { id, state } = yield* exportAt(from)
              const wanted = { to, epochs }
              if (isNothing(state, wanted)) continue
              const before = yield* database.query("before", (db) => stateOf(db, id))
              const outcome = yield* move(id, state, wanted)
              const after = yield* database.query("after", (db) => stateOf(db, id))
              const said = `${from}@${state.epoch} → ${to} ${epochs}`
              assert.strictEqual(Result.isSuccess(outcome), isLegal(state, wanted), said)
              if (Result.isFailure(outcome)) {
                assert.strictEqual(outcome.failure.reason, "conflict", said)
                assert.deepStrictEqual(after, before, said)
              } else {
                assert.deepStrictEqual([after.status, after.epoch], [to, state.epoch + epochs], said)
              }
            }
          }
        }
      })
    )

    it.effect(
      "whatever is tried in whatever order: epochs rise by one per run, one end per epoch, instants follow",
      () =>
        Effect.gen(function* () {
          const context = yield* Effect.context<Database>()
          const tries = fc.array(
            fc.record({ to: fc.constantFrom(...STATUSES), epochs: fc.constantFrom(0, 0, 1, 1, -1, 2) }),
            { minLength: 1, maxLength: 25 }
          )
          const property = fc.asyncProperty(tries, (moves) =>
            Effect.gen(function* () {
              const database = yield* Database
              const id = yield* created
              let state: State = { status: "pending", epoch: 0 }
              const ends = new Map<number, ExportStatus>()
              for (const wanted of moves) {
                if (isNothing(state, wanted)) continue
                const done = Result.isSuccess(yield* move(id, state, wanted))
                assert.strictEqual(done, isLegal(state, wanted))
                if (done) state = { status: wanted.to, epoch: state.epoch + wanted.epochs }
                const row = yield* database.query("row", (db) => stateOf(db, id))
                assert.deepStrictEqual<State>({ status: row.status, epoch: row.epoch }, state)
                const terminal = ["completed", "failed", "cancelled"].includes(state.status)
                assert.strictEqual(row.completedAt !== null, terminal)
                assert.strictEqual(row.outputs.length > 0, state.status === "completed")
                assert.strictEqual(row.bytes, state.status === "completed" ? Fixtures.output.output.bytes : 0)
                assert.strictEqual(row.error !== null, state.status === "failed")
                if (state.status === "pending")
                  assert.deepStrictEqual([row.plan, row.encoder, row.startedAt], [null, null, null])
                if (state.status === "processing") assert.isNotNull(row.startedAt)
                // A run that has completed is the last one; a failed or cancelled one may be tried again.
                if (ends.get(state.epoch) === "completed") assert.strictEqual(state.status, "completed")
                if (terminal) ends.set(state.epoch, state.status)
              }
            }).pipe(Effect.provideContext(context), Effect.runPromise)
          )
          yield* Effect.promise(() => fc.assert(property, { numRuns: 40 }))
        })
    )

    it.effect("of many who end one run at once, one does", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { id, state } = yield* exportAt("processing")
        const ends: ReadonlyArray<Move> = [
          { to: "completed", epochs: 0 },
          { to: "cancelled", epochs: 0 },
          { to: "failed", epochs: 0 }
        ]
        const changed = yield* Effect.forEach(
          [...ends, ...ends, ...ends],
          (end) =>
            database.query("end", (db) =>
              db
                .update(exports_)
                .set(written(id, state, end))
                .where(
                  sql`${exports_.id} = ${id} and ${exports_.status} = 'processing' and ${exports_.epoch} = ${state.epoch}`
                )
                .returning({ status: exports_.status })
            ),
          { concurrency: "unbounded" }
        )
        const winners = changed.flat()
        assert.strictEqual(winners.length, 1)
        const row = yield* database.query("row", (db) => stateOf(db, id))
        assert.strictEqual(row.status, winners[0]?.status)
      })
    )

    describe("what is asked for", () => {
      const frozen = {
        spec: { ...frozenSpec, name: "another" },
        userId: "somebody else",
        id: newId(VideoId),
        createdAt: "2020-01-01T00:00:00Z",
        settings: { resolution: "4k" as const },
        frames: 3,
        durationMicros: 5,
        requestDigest: "1".repeat(64),
        idempotencyKey: "k",
        nodeLabels: ["gpu"],
        segments: [{ start: 0, end: 1 }],
        type: "overlay",
        delivery: "clips",
        projectId: newId(VideoId)
      } as const
      for (const [name, value] of Object.entries(frozen)) {
        it.effect(`never changes: ${name}`, () =>
          Effect.gen(function* () {
            const database = yield* Database
            const { id } = yield* exportAt("processing")
            const error = yield* Effect.flip(
              database.query("change", (db) =>
                db
                  .update(exports_)
                  .set({ [name]: value })
                  .where(eq(exports_.id, id))
              )
            )
            assert.deepStrictEqual([error.reason, error.constraint], ["conflict", "exports_frozen"])
          })
        )
      }
    })

    it.effect("an end is not touched any more, but its plan may be let go of", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const { id } = yield* exportAt("completed")
        const other = { ...Fixtures.output, object: "elsewhere" }
        for (const change of [
          { outputs: [other] },
          { outputs: [] },
          { encoder: "nvenc" },
          { completedAt: null },
          { startedAt: null }
        ]) {
          const error = yield* Effect.flip(
            database.query("change", (db) => db.update(exports_).set(change).where(eq(exports_.id, id)))
          )
          assert.deepStrictEqual([error.reason, error.constraint], ["conflict", "exports_settled"])
        }
        yield* database.query("let go", (db) => db.update(exports_).set({ plan: null }).where(eq(exports_.id, id)))
        const back = yield* Effect.flip(
          database.query("change", (db) =>
            db
              .update(exports_)
              .set({ plan: planOf(id, 7) })
              .where(eq(exports_.id, id))
          )
        )
        assert.strictEqual(back.constraint, "exports_settled")
      })
    )

    it.effect("begins pending, ends before it is deleted", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const remove = (id: ExportId) =>
          database.query("delete", (db) => db.delete(exports_).where(eq(exports_.id, id)))
        for (const status of STATUSES) {
          const { id } = yield* exportAt(status)
          const outcome = yield* Effect.result(remove(id))
          assert.strictEqual(Result.isSuccess(outcome), !["pending", "processing"].includes(status), status)
        }
        const { id } = yield* exportAt("completed")
        const copied = yield* Effect.flip(
          database.query("copy", (db) =>
            db.execute(
              sql`insert into exports select (e).* from (select (jsonb_populate_record(e, ${JSON.stringify({
                id: newId(VideoId)
              })}::jsonb)) e from exports e where id = ${id}) s`
            )
          )
        )
        assert.deepStrictEqual([copied.reason, copied.constraint], ["conflict", "exports_begin"])
      })
    )
  }
)
