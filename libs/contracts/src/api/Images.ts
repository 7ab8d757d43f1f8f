import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { ImageId } from "../Ids.ts"
import { Image } from "../Media.ts"
import { Conflict, Forbidden, NotFound, TooLarge, Unauthorized, UnsupportedMedia } from "../Problem.ts"
import { Name } from "../Project.ts"
import { Authorization, Requests, signedQuery } from "./Authorization.ts"
import { Page, pageQuery } from "./Page.ts"

const params = { id: ImageId }

export class ImagesApi extends HttpApiGroup.make("images")
  .add(
    HttpApiEndpoint.post("create", "/", {
      query: { name: Schema.optionalKey(Name) },
      payload: HttpApiSchema.StreamUint8Array(),
      success: Image.pipe(HttpApiSchema.status(201)),
      error: [UnsupportedMedia, TooLarge]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add an image",
        description:
          "The body is the file itself: a PNG, a JPEG or a WebP that does not move. It is kept as a PNG, upright, of at most 4096 pixels a side."
      })
    ),
    HttpApiEndpoint.get("list", "/", { query: pageQuery, success: Page(Image) }).annotate(
      OpenApi.Summary,
      "Images, newest first"
    ),
    HttpApiEndpoint.get("get", "/:id", { params, success: Image, error: NotFound }).annotate(
      OpenApi.Summary,
      "An image"
    ),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: [NotFound, Conflict] }).annotate(
      OpenApi.Summary,
      "Delete an image that nothing uses"
    )
  )
  .middleware(Authorization)
  .add(
    HttpApiEndpoint.get("content", "/:id/content", {
      params,
      query: signedQuery,
      success: HttpApiSchema.StreamUint8Array({ contentType: "image/png" }),
      error: [NotFound, Unauthorized, Forbidden]
    }).annotate(OpenApi.Summary, "The image as a PNG (a token or a signed URL)")
  )
  .middleware(Requests)
  .prefix("/api/images")
  .annotateMerge(OpenApi.annotations({ title: "Images", description: "Pictures to be laid over others." })) {}
