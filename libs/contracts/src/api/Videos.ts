import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Export, ExportRequest } from "../Export.ts"
import { VideoId } from "../Ids.ts"
import { Video } from "../Media.ts"
import { Conflict, Forbidden, NotFound, TooLarge, Unauthorized, UnsupportedMedia } from "../Problem.ts"
import { Name } from "../Project.ts"
import { Text } from "../Text.ts"
import { Authorization, Requests, signedQuery } from "./Authorization.ts"
import { createErrors, exportQuery, idempotencyHeaders } from "./Exports.ts"
import { Page, pageQuery } from "./Page.ts"

const params = { id: VideoId }

const Location = Text.check(Schema.isBetweenLength(1, 4096))

/** Footage used where it lies under `REELAY_MEDIA_ROOTS`, or copied from a host of `REELAY_MEDIA_HOSTS`. */
export const VideoReference = Schema.Union([
  Schema.Struct({ path: Location, name: Schema.optionalKey(Name) }),
  Schema.Struct({ url: Location, name: Schema.optionalKey(Name) })
])
export type VideoReference = typeof VideoReference.Type

export class VideosApi extends HttpApiGroup.make("videos")
  .add(
    HttpApiEndpoint.post("create", "/", {
      query: { name: Schema.optionalKey(Name) },
      payload: [HttpApiSchema.StreamUint8Array(), VideoReference],
      success: Video.pipe(HttpApiSchema.status(201)),
      error: [UnsupportedMedia, TooLarge, Forbidden, NotFound]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add a video",
        description:
          "Any body that is not application/json is the file itself, streamed; a JSON body names footage by its path, or by a URL from which it is copied."
      })
    ),
    HttpApiEndpoint.get("list", "/", { query: pageQuery, success: Page(Video) }).annotate(
      OpenApi.Summary,
      "Videos, newest first"
    ),
    HttpApiEndpoint.get("get", "/:id", { params, success: Video, error: NotFound }).annotate(
      OpenApi.Summary,
      "A video"
    ),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: [NotFound, Conflict] }).annotate(
      OpenApi.Summary,
      "Delete a video that nothing uses"
    ),
    HttpApiEndpoint.get("exports", "/:id/exports", {
      params,
      query: exportQuery,
      success: Page(Export),
      error: NotFound
    }).annotate(OpenApi.Summary, "Exports of a video"),
    HttpApiEndpoint.post("export", "/:id/exports", {
      params,
      headers: idempotencyHeaders,
      payload: ExportRequest,
      success: Export.pipe(HttpApiSchema.status(202)),
      error: createErrors
    }).annotate(OpenApi.Summary, "Start an export of a video")
  )
  .middleware(Authorization)
  .add(
    HttpApiEndpoint.get("content", "/:id/content", {
      params,
      query: signedQuery,
      success: HttpApiSchema.StreamUint8Array({ contentType: "video/*" }),
      error: [NotFound, Unauthorized, Forbidden]
    }).annotateMerge(OpenApi.annotations({ summary: "The bytes, with ranges (a token or a signed URL)" })),
    HttpApiEndpoint.get("poster", "/:id/poster", {
      params,
      query: signedQuery,
      success: HttpApiSchema.StreamUint8Array({ contentType: "image/jpeg" }),
      error: [NotFound, Unauthorized, Forbidden]
    }).annotate(OpenApi.Summary, "A small JPEG (a token or a signed URL)")
  )
  .middleware(Requests)
  .prefix("/api/videos")
  .annotateMerge(OpenApi.annotations({ title: "Videos", description: "Sources: uploaded, or used where they lie." })) {}
