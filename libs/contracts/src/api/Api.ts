import { HttpApi, OpenApi } from "effect/http-api"
import { ExportsApi } from "./Exports.ts"
import { FarmApi } from "./Farm.ts"
import { ImagesApi } from "./Images.ts"
import { ProjectsApi } from "./Projects.ts"
import { VideosApi } from "./Videos.ts"

/** Requests say what they mean or are refused: a misspelt field is never silently ignored, and every mistake is named. */
const exact = { onExcessProperty: "error", errors: "all" } as const

/** Reelay over HTTP. Servers implement it, clients derive from it; neither says a name twice. */
export class Api extends HttpApi.make("reelay")
  .add(VideosApi, ImagesApi, ProjectsApi, ExportsApi, FarmApi)
  .annotate(HttpApi.PayloadParseOptions, exact)
  .annotate(HttpApi.QueryParseOptions, exact)
  .annotateMerge(
    OpenApi.annotations({
      title: "Reelay",
      version: "0.1.0",
      description:
        "Start an export, close everything, come back to the finished file. Errors are RFC 9457 problems with stable codes.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" }
    })
  ) {}
