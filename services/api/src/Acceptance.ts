import type { Estimate } from "@reelay/contracts/api/Exports"
import type { Export } from "@reelay/contracts/Export"
import { ExportRequest } from "@reelay/contracts/Export"
import { ExportId, newId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { IdempotencyMismatch, RateLimited, VideoNotFound } from "@reelay/contracts/Problem"
import type { NotFound } from "@reelay/contracts/Problem"
import { secondsOf } from "@reelay/contracts/Quantity"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import type { Auth } from "@reelay/platform/Auth"
import { Database } from "@reelay/platform/Database"
import type { Transaction } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { exportColumns, exportOf, NOT_LIVE } from "@reelay/platform/Rows"
import type { ExportRow } from "@reelay/platform/Rows"
import { exports_, videos } from "@reelay/platform/Tables"
import { estimateBytes } from "@reelay/render/Estimate"
import { and, count, desc, eq, inArray, sql } from "drizzle-orm"
import { Context, Effect, Layer, Metric, Schema } from "effect"
import type { Config } from "effect"
import { requestDigest } from "./Digest.ts"
import { Doorbell } from "./Doorbell.ts"
import { loadMaterial } from "./ExportMaterial.ts"
import { freeze } from "./Freeze.ts"
import type { Frozen, Refusal } from "./Freeze.ts"
import { afterOne, allowanceOf, exportsPerHour } from "./RateLimit.ts"
import type { Allowance } from "./RateLimit.ts"
import { secondsFor } from "./RenderTimes.ts"
import type { Trouble } from "./Trouble.ts"

type Unacceptable = Refusal | NotFound | VideoNotFound | Trouble

export interface Accepted {
  readonly export: Export
  /** Null where there is no limit. */
  readonly allowance: Allowance | null
}

/** How a request becomes an export: once its row is there the farm owes the file, whatever happens to anything else. */
export class Acceptance extends Context.Service<
  Acceptance,
  {
    /**
     * Validates against what is stored, freezes, inserts, and only then rings. The same `key` with the same request is
     * the same export, however often and at once it comes.
     */
    accept(
      owner: UserId,
      request: ExportRequest,
      key: string | null
    ): Effect.Effect<Accepted, Unacceptable | IdempotencyMismatch | RateLimited>
    /** What accepting would come to. */
    estimate(owner: UserId, request: ExportRequest): Effect.Effect<Estimate, Unacceptable>
  }
>()("@reelay/api/Acceptance") {
  static readonly layer: Layer.Layer<Acceptance, Config.ConfigError, Auth | Database | LiveFarm | Doorbell> =
    Layer.effect(
      Acceptance,
      Effect.gen(function* () {
        const database = yield* Database
        const live = yield* LiveFarm
        const doorbell = yield* Doorbell
        const limit = yield* exportsPerHour

        const frozenOf = Effect.fnUntraced(
          function* (owner: UserId, request: ExportRequest) {
            const material = yield* loadMaterial(owner, request)
            return yield* Effect.fromResult(freeze(request, owner, material))
          },
          Effect.provideService(Database, database)
        )

        const earlier = (owner: UserId, key: string) =>
          database
            .query("exports.byKey", (db) => db.select(withDigest).from(exports_).where(byKey(owner, key)))
            .pipe(Effect.map(([row]) => row ?? null))

        /** The export that the key stands for, if the request is the one it was used for. */
        const repeated = Effect.fnUntraced(function* ({ requestDigest: digest, ...row }: KeyedRow, wanted: string) {
          if (digest !== wanted)
            return yield* new IdempotencyMismatch({ detail: "Another request came with this key." })
          return yield* exportOf(row, yield* live.liveOf(ExportId.make(row.id)))
        })

        return Acceptance.of({
          accept: Effect.fn("Acceptance.accept")(function* (owner, request, key) {
            const digest = requestDigest(request)
            const known = key === null ? null : yield* earlier(owner, key)
            if (known !== null) return { export: yield* repeated(known, digest), allowance: null }

            const frozen = yield* frozenOf(owner, request)
            const values = rowOf(owner, request, frozen, key, digest)
            const outcome = yield* database.transaction("exports.accept", async (tx): Promise<Outcome> => {
              const allowance = limit === null ? null : await countedAlone(tx, owner, limit)
              if (key !== null && limit !== null) {
                const [twin] = await tx.select(withDigest).from(exports_).where(byKey(owner, key))
                if (twin !== undefined) return { _tag: "repeated", row: twin }
              }
              if (allowance !== null && allowance.remaining === 0) return { _tag: "limited", allowance }
              // Held against deletion until the row that needs them is there.
              const ids = frozen.spec.sources.map((source) => source.videoId)
              const held = await tx
                .select({ id: videos.id })
                .from(videos)
                .where(and(inArray(videos.id, ids), eq(videos.userId, owner)))
                .for("key share")
              if (held.length !== ids.length) return { _tag: "gone" }
              const [row] = await tx
                .insert(exports_)
                .values(values)
                .onConflictDoNothing({ target: [exports_.userId, exports_.idempotencyKey] })
                .returning(exportColumns)
              if (row !== undefined) return { _tag: "accepted", row, allowance }
              const [twin] = await tx
                .select(withDigest)
                .from(exports_)
                .where(byKey(owner, key ?? ""))
              return twin === undefined ? { _tag: "gone" } : { _tag: "repeated", row: twin }
            })
            switch (outcome._tag) {
              case "accepted": {
                yield* doorbell.ring(owner, values.id)
                yield* Metric.update(accepted, 1)
                const allowance = outcome.allowance
                return {
                  export: yield* exportOf(outcome.row, NOT_LIVE),
                  allowance: allowance === null ? null : afterOne(allowance)
                }
              }
              case "repeated":
                return { export: yield* repeated(outcome.row, digest), allowance: null }
              case "gone":
                return yield* new VideoNotFound({ detail: "A video of this export was deleted meanwhile." })
              case "limited":
                return yield* new RateLimited({
                  detail: `${outcome.allowance.limit} exports an hour is the most.`,
                  retryAfterSeconds: outcome.allowance.resetSeconds
                })
            }
          }),

          estimate: Effect.fn("Acceptance.estimate")(function* (owner, request) {
            const frozen = yield* frozenOf(owner, request)
            const [waiting, seconds, seen] = yield* Effect.all([
              database.query("exports.waiting", (db) =>
                db.select({ waiting: count() }).from(exports_).where(eq(exports_.status, "pending"))
              ),
              secondsFor(frozen).pipe(Effect.provideService(Database, database)),
              live.schedulerSeen
            ])
            return {
              frames: frozen.frames,
              duration: secondsOf(frozen.duration),
              bytes: estimateBytes(frozen.spec.target, frozen.frames),
              seconds,
              queuePosition: seen ? (waiting[0]?.waiting ?? 0) + 1 : null
            }
          })
        })
      })
    )
}

const accepted = Metric.counter("reelay_exports_accepted_total", { description: "Exports whose row was written" })

type KeyedRow = ExportRow & { readonly requestDigest: string }
const withDigest = { ...exportColumns, requestDigest: exports_.requestDigest }
const byKey = (owner: UserId, key: string) => and(eq(exports_.userId, owner), eq(exports_.idempotencyKey, key))

type Outcome =
  | { readonly _tag: "accepted"; readonly row: ExportRow; readonly allowance: Allowance | null }
  | { readonly _tag: "repeated"; readonly row: KeyedRow }
  | { readonly _tag: "limited"; readonly allowance: Allowance }
  | { readonly _tag: "gone" }

/** The user's allowance, counted by one request at a time, so that a burst gets no more than its due. */
const countedAlone = async (tx: Transaction, owner: UserId, limit: number): Promise<Allowance> => {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`accept:${owner}`}, 0))`)
  const latest = await tx
    .select({ age: sql<number>`extract(epoch from now() - ${exports_.createdAt})`.mapWith(Number) })
    .from(exports_)
    .where(eq(exports_.userId, owner))
    .orderBy(desc(exports_.id))
    .limit(limit)
  return allowanceOf(
    limit,
    latest.map((row) => row.age)
  )
}

const encodeSpec = Schema.encodeSync(RenderSpec)
const encodeRequest = Schema.encodeSync(ExportRequest)

const rowOf = (owner: UserId, request: ExportRequest, frozen: Frozen, key: string | null, digest: string) => {
  const { settings = {} } = encodeRequest(request)
  return {
    id: newId(ExportId),
    userId: owner,
    projectId: request.projectId ?? null,
    videoId: request.videoId ?? null,
    segments: request.segments ?? null,
    type: request.type,
    delivery: request.delivery,
    settings: { ...settings, aspect: frozen.aspect },
    priority: request.priority,
    nodeLabels: request.nodeLabels,
    idempotencyKey: key,
    requestDigest: digest,
    spec: encodeSpec(frozen.spec),
    frames: frozen.frames,
    durationMicros: frozen.duration
  }
}
