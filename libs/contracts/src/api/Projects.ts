import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Crop, Transition } from "../Edits.ts"
import { Export, EXPORT_LIMITS } from "../Export.ts"
import { ClipId, ProjectId, VideoId } from "../Ids.ts"
import { Conflict, InvalidSegment, NotFound, PreconditionFailed, VideoNotFound } from "../Problem.ts"
import { Aspect, Clip, ClipOverlays, ClipSpeed, ClipTiming, Name, Project } from "../Project.ts"
import { Authorization, Requests } from "./Authorization.ts"
import { exportQuery } from "./Exports.ts"
import { Items, Page, pageQuery } from "./Page.ts"

const params = { id: ProjectId }
const clipParams = { id: ProjectId, clipId: ClipId }

export const NewProject = Schema.Struct({ name: Name, aspect: Schema.optionalKey(Aspect) })
export type NewProject = typeof NewProject.Type
export const ProjectChange = Schema.Struct({ name: Schema.optionalKey(Name), aspect: Schema.optionalKey(Aspect) })
export type ProjectChange = typeof ProjectChange.Type

/** The edits of a clip. Those that are left out stay as they are. */
export const ClipChange = Schema.Struct({
  name: Schema.optionalKey(Name),
  timing: Schema.optionalKey(ClipTiming),
  crop: Schema.optionalKey(Schema.NullOr(Crop)),
  speed: Schema.optionalKey(ClipSpeed),
  transition: Schema.optionalKey(Transition),
  overlays: Schema.optionalKey(ClipOverlays)
})
export type ClipChange = typeof ClipChange.Type
export const NewClip = Schema.Struct({ videoId: VideoId, ...ClipChange.fields })
export type NewClip = typeof NewClip.Type

/** Every clip of the project, each once, in the order wanted. */
export const ClipOrder = Schema.Struct({ clipIds: Schema.Array(ClipId).check(Schema.isMaxLength(EXPORT_LIMITS.clips)) })

export class ProjectsApi extends HttpApiGroup.make("projects")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewProject,
      success: Project.pipe(HttpApiSchema.status(201))
    }).annotate(OpenApi.Summary, "A new project"),
    HttpApiEndpoint.get("list", "/", { query: pageQuery, success: Page(Project) }).annotate(
      OpenApi.Summary,
      "Projects, newest first"
    ),
    HttpApiEndpoint.get("get", "/:id", { params, success: Project, error: NotFound }).annotate(
      OpenApi.Summary,
      "A project with its clips"
    ),
    HttpApiEndpoint.patch("update", "/:id", {
      params,
      payload: ProjectChange,
      success: Project,
      error: NotFound
    }).annotate(OpenApi.Summary, "Rename a project, or change its aspect"),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: NotFound }).annotate(
      OpenApi.Summary,
      "Delete a project and its clips"
    ),
    HttpApiEndpoint.get("exports", "/:id/exports", {
      params,
      query: exportQuery,
      success: Page(Export),
      error: NotFound
    }).annotate(OpenApi.Summary, "Exports of a project"),
    HttpApiEndpoint.post("addClip", "/:id/clips", {
      params,
      payload: NewClip,
      success: Clip.pipe(HttpApiSchema.status(201)),
      error: [NotFound, VideoNotFound, InvalidSegment]
    }).annotate(OpenApi.Summary, "Add a clip, as the last"),
    HttpApiEndpoint.put("orderClips", "/:id/clips/order", {
      params,
      payload: ClipOrder,
      success: Items(Clip),
      error: [NotFound, Conflict]
    }).annotate(OpenApi.Summary, "Put the clips in order"),
    HttpApiEndpoint.put("updateClip", "/:id/clips/:clipId", {
      params: clipParams,
      headers: { "if-match": Schema.optionalKey(Schema.String) },
      payload: ClipChange,
      success: Clip,
      error: [NotFound, InvalidSegment, PreconditionFailed]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change a clip: its next version",
        description: "`If-Match` names the version that is to be changed, as the answer's ETag says it."
      })
    ),
    HttpApiEndpoint.delete("removeClip", "/:id/clips/:clipId", { params: clipParams, error: NotFound }).annotate(
      OpenApi.Summary,
      "Remove a clip"
    )
  )
  .middleware(Authorization)
  .middleware(Requests)
  .prefix("/api/projects")
  .annotateMerge(
    OpenApi.annotations({ title: "Projects", description: "Edits: clips in order, each a part of a video." })
  ) {}
