import type { Estimate } from "@reelay/contracts/api/Exports"
import type { Export } from "@reelay/contracts/Export"
import { ExportRequest } from "@reelay/contracts/Export"
import { ExportId, newId } from "@reelay/contracts/Ids"
import type { UserId } from "@reelay/contracts/Ids"
import { IdempotencyMismatch, NotFound, RateLimited, VideoNotFound } from "@reelay/contracts/Problem"
import { secondsOf } from "@reelay/contracts/Quantity"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import type { Auth } from "@reelay/platform/Auth"
import { Database } from "@reelay/platform/Database"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { exportOf, NOT_LIVE } from "@reelay/platform/Rows"
import { exports_ } from "@reelay/platform/Tables"
import { estimateBytes } from "@reelay/render/Estimate"
import { count, eq } from "drizzle-orm"
import { Context, Effect, Layer, Metric, Result, Schema } from "effect"
import type { Config } from "effect"
import { requestDigest } from "./Digest.ts"
import { Doorbell } from "./Doorbell.ts"
import { makeMaterials } from "./ExportMaterial.ts"
import { freeze } from "./Freeze.ts"
import type { Frozen, Refusal } from "./Freeze.ts"
import { makeKeys, makeNewExports } from "./NewExports.ts"
import type { NewExport } from "./NewExports.ts"
import { exportsPerHour } from "./RateLimit.ts"
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

        const materialOf = yield* makeMaterials
        const insert = yield* makeNewExports(limit)
        const byKey = yield* makeKeys

        const frozenOf = (owner: UserId, request: ExportRequest) =>
          Effect.flatMap(materialOf(owner, request), (material) => Effect.fromResult(freeze(request, owner, material)))

        /** The export that the key stands for, if the request is the one it was used for; null when it is new. */
        const repeated = Effect.fnUntraced(function* (userId: UserId, key: string, digest: string) {
          const row = yield* byKey({ userId, key })
          if (row === null) return null
          if (row.requestDigest !== digest)
            return yield* new IdempotencyMismatch({ detail: "Another request came with this key." })
          return yield* exportOf(row, yield* live.liveOf(ExportId.make(row.id)))
        })

        /** Null: its key was used before. */
        const attempt = Effect.fnUntraced(function* (
          owner: UserId,
          request: ExportRequest,
          asked: typeof ExportRequest.Encoded,
          key: string | null,
          digest: string
        ) {
          const frozen = yield* frozenOf(owner, request)
          const row = rowOf(owner, request, asked, frozen, key, digest)
          const outcome = yield* insert(row).pipe(
            Effect.catchIf(isProjectGone, () => new NotFound({ detail: "The project was deleted meanwhile." }))
          )
          switch (outcome._tag) {
            case "accepted": {
              const { allowance, createdAt } = outcome
              yield* doorbell.ring(owner, row.id)
              yield* Metric.update(accepted, 1)
              const made = yield* exportOf({ ...row, ...NEW, createdAt, updatedAt: createdAt }, NOT_LIVE)
              return { export: made, allowance } satisfies Accepted
            }
            case "repeated":
              return null
            case "gone":
              return yield* new VideoNotFound({ detail: "A video or an image of this export was deleted meanwhile." })
            case "limited":
              return yield* new RateLimited({
                detail: `${outcome.allowance.limit} exports an hour is the most.`,
                retryAfterSeconds: outcome.allowance.resetSeconds
              })
          }
        })

        const accept: Acceptance["Service"]["accept"] = Effect.fn("Acceptance.accept")(function* (owner, request, key) {
          const asked = encodeRequest(request)
          const digest = requestDigest(asked)
          // Keys are new, as a rule, and the insert knows when one is not. It is looked up where it may be: what was
          // accepted once is that export still, though its project may have gone or the hour's exports be used up.
          const made = yield* Effect.result(attempt(owner, request, asked, key, digest))
          if (Result.isSuccess(made) && made.success !== null) return made.success
          const known = key === null ? null : yield* repeated(owner, key, digest)
          if (known !== null) return { export: known, allowance: null }
          // One that had the key is deleted by now.
          return Result.isSuccess(made) ? yield* accept(owner, request, key) : yield* Effect.fail(made.failure)
        })

        return Acceptance.of({
          accept,

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

/** The constraint that refuses an export of a project that was deleted since its material was read. */
const PROJECT = "exports_project_id_projects_id_fk"
const isProjectGone = (error: DatabaseError): boolean => error.constraint === PROJECT

/** What every export begins with, by the table's defaults and triggers. */
const NEW = {
  epoch: 0,
  status: "pending",
  encoder: null,
  outputs: [],
  bytes: 0,
  error: null,
  startedAt: null,
  completedAt: null
} as const

const encodeSpec = Schema.encodeSync(RenderSpec)
const encodeRequest = Schema.encodeSync(ExportRequest)

const rowOf = (
  owner: UserId,
  request: ExportRequest,
  { settings = {} }: typeof ExportRequest.Encoded,
  frozen: Frozen,
  key: string | null,
  digest: string
): NewExport => ({
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
  specBytes: frozen.bytes,
  frames: frozen.frames,
  durationMicros: frozen.duration,
  sources: frozen.spec.sources.map((source) => source.videoId),
  images: (frozen.spec.images ?? []).map((image) => image.imageId)
})
