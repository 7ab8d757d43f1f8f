import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Attempt, Export, EXPORT_LIMITS, ExportRequest, ExportStatus, ExportType, Progress } from "../Export.ts"
import { ExportId, ProjectId, VideoId } from "../Ids.ts"
import { Video } from "../Media.ts"
import { Plan } from "../Plan.ts"
import {
  Conflict,
  Forbidden,
  IdempotencyMismatch,
  InvalidSegment,
  MissingCropData,
  NoClips,
  NotCompleted,
  NotFound,
  RateLimited,
  Unauthorized,
  UnsupportedMedia,
  VideoNotFound
} from "../Problem.ts"
import { Count, Instant, Positive, Seconds } from "../Quantity.ts"
import { Authorization, Requests, signedQuery } from "./Authorization.ts"
import { Items, Page, pageQuery } from "./Page.ts"

const params = { id: ExportId }

/** `-` is the newest or largest first. */
export const ExportSort = Schema.Literals(["createdAt", "-createdAt", "bytes", "-bytes", "status"])
export type ExportSort = typeof ExportSort.Type

const filters = {
  status: Schema.optionalKey(ExportStatus),
  type: Schema.optionalKey(ExportType),
  sort: Schema.optionalKey(ExportSort)
}
/** Of a list that is one project's or one video's already. */
export const exportQuery = { ...filters, ...pageQuery }

/** The same key and body again is the same export; kept per user. */
export const idempotencyHeaders = {
  "idempotency-key": Schema.optionalKey(Schema.String.check(Schema.isBetweenLength(1, 255)))
}

const refusals = [NotFound, NoClips, MissingCropData, InvalidSegment, VideoNotFound] as const
export const createErrors = [...refusals, IdempotencyMismatch, RateLimited] as const

const { bytes, clips, hours, keyframes, speeds } = EXPORT_LIMITS
const limits = `One export is ${hours} hours of output at the most, all its files together, from ${clips} clips or segments with \
${speeds} speeds, ${keyframes} keyframes and ${bytes} bytes of edits.`

/** What a request would come to. `seconds` is null until the farm has seen work like it. */
export const Estimate = Schema.Struct({
  frames: Count,
  duration: Seconds,
  /** About, for the settings' quality. */
  bytes: Count,
  seconds: Schema.NullOr(Schema.Struct({ p50: Seconds, p90: Seconds })),
  /** Where it would stand in the queue; null when the scheduler has not been heard. */
  queuePosition: Schema.NullOr(Positive)
})
export type Estimate = typeof Estimate.Type

/** A URL that needs no token, until `expiresAt`. */
export const Download = Schema.Struct({ url: Schema.String, expiresAt: Instant })
export type Download = typeof Download.Type

const Hours = Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 24 * 366 }))

export class ExportsApi extends HttpApiGroup.make("exports")
  .add(
    HttpApiEndpoint.post("create", "/", {
      headers: idempotencyHeaders,
      payload: ExportRequest,
      success: Export.pipe(HttpApiSchema.status(202)),
      error: createErrors
    }).annotateMerge(OpenApi.annotations({ summary: "Start an export", description: limits })),
    HttpApiEndpoint.post("estimate", "/estimate", {
      payload: ExportRequest,
      success: Estimate,
      error: refusals
    }).annotate(OpenApi.Summary, "What a request would come to"),
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...exportQuery,
        projectId: Schema.optionalKey(ProjectId),
        videoId: Schema.optionalKey(VideoId)
      },
      success: Page(Export)
    }).annotate(OpenApi.Summary, "Exports"),
    HttpApiEndpoint.get("active", "/active", {
      query: { projectId: Schema.optionalKey(ProjectId) },
      success: Items(Export)
    }).annotate(OpenApi.Summary, "What waits or runs"),
    HttpApiEndpoint.get("recent", "/recent", {
      query: {
        hours: Schema.optionalKey(Schema.FiniteFromString.pipe(Schema.decodeTo(Hours))),
        projectId: Schema.optionalKey(ProjectId)
      },
      success: Items(Export)
    }).annotateMerge(
      OpenApi.annotations({ summary: "What was asked for or ended within the last hours (24), the latest first" })
    ),
    HttpApiEndpoint.get("get", "/:id", { params, success: Export, error: NotFound }).annotate(
      OpenApi.Summary,
      "An export"
    ),
    HttpApiEndpoint.get("progress", "/:id/progress", { params, success: Progress, error: NotFound }).annotate(
      OpenApi.Summary,
      "How far an export is"
    ),
    HttpApiEndpoint.get("download", "/:id/download", {
      params,
      success: [Download, HttpApiSchema.Empty(302)],
      error: [NotFound, NotCompleted]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The finished file",
        description: "A redirect to a signed URL; with `Accept: application/json` the URL itself."
      })
    ),
    HttpApiEndpoint.post("cancel", "/:id/cancel", {
      params,
      success: Export.pipe(HttpApiSchema.status(202)),
      error: [NotFound, Conflict]
    }).annotate(OpenApi.Summary, "Cancel an export"),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      success: [Export.pipe(HttpApiSchema.status(202)), HttpApiSchema.NoContent],
      error: [NotFound, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel or delete an export",
        description: "Cancels an export that is active (202); deletes one that has ended, with its files (204)."
      })
    ),
    HttpApiEndpoint.post("retry", "/:id/retry", {
      params,
      success: Export.pipe(HttpApiSchema.status(202)),
      error: [NotFound, Conflict, VideoNotFound]
    }).annotate(OpenApi.Summary, "Run a failed or cancelled export again"),
    HttpApiEndpoint.get("attempts", "/:id/attempts", { params, success: Items(Attempt), error: NotFound }).annotate(
      OpenApi.Summary,
      "What was tried where, and why it failed"
    ),
    HttpApiEndpoint.get("plan", "/:id/plan", { params, success: Plan, error: [NotFound, Forbidden] }).annotate(
      OpenApi.Summary,
      "The task graph, and why each way was chosen (operators)"
    ),
    HttpApiEndpoint.post("video", "/:id/video", {
      params,
      success: Video.pipe(HttpApiSchema.status(201)),
      error: [NotFound, NotCompleted, UnsupportedMedia]
    }).annotateMerge(
      OpenApi.annotations({ summary: "The finished file as a source for further edits (no copy is made)" })
    )
  )
  .middleware(Authorization)
  .add(
    HttpApiEndpoint.get("content", "/:id/content", {
      params,
      query: signedQuery,
      success: HttpApiSchema.StreamUint8Array(),
      error: [NotFound, NotCompleted, Unauthorized, Forbidden]
    }).annotateMerge(OpenApi.annotations({ summary: "The finished file, with ranges (a token or a signed URL)" })),
    HttpApiEndpoint.get("poster", "/:id/poster", {
      params,
      query: signedQuery,
      success: HttpApiSchema.StreamUint8Array({ contentType: "image/jpeg" }),
      error: [NotFound, NotCompleted, Unauthorized, Forbidden]
    }).annotate(OpenApi.Summary, "A small JPEG of the finished file (a token or a signed URL)")
  )
  .middleware(Requests)
  .prefix("/api/exports")
  .annotateMerge(OpenApi.annotations({ title: "Exports", description: "Finished files, and the way to them." })) {}
