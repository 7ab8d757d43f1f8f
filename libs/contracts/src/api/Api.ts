import { HttpApi, OpenApi } from "effect/http-api"
import { ExportsApi } from "./Exports.ts"
import { FarmApi } from "./Farm.ts"
import { ImagesApi } from "./Images.ts"
import { ProjectsApi } from "./Projects.ts"
import { VideosApi } from "./Videos.ts"

/** Requests say what they mean or are refused: a misspelt field is never silently ignored, and every mistake is named. */
const exact = { onExcessProperty: "error", errors: "all" } as const

const DESCRIPTION = `Start an export, close everything, come back to the finished file. Errors are RFC 9457 problems with \
stable codes.

Times within media are seconds from the first displayed frame; geometry is a fraction (0…1) of the displayed frame. Unknown \
fields are refused by name.

## WebSocket

\`/ws\`, on the same origin, tells what happens to exports as it happens; everything can be asked for here as well. Messages \
are JSON. Where tokens are asked for: \`/ws?token=…\`, or as the first message \`{"type":"auth","token":"…"}\`; the socket ends \
with its token (close code 4401). One too many of a user is told so (error \`too_many_sockets\`, close code 4429).

You say \`{"type":"subscribe","exports":"all"}\`, or a list of ids instead of \`"all"\`; with \`"since"\`, a cursor from before, \
you get what has changed since then. You hear:

- \`{"type":"snapshot","exports":[…],"cursor":"…"}\`: the exports as they are
- \`{"type":"state","export":{…},"cursor":"…"}\`: one of them has changed
- \`{"type":"progress","exportId":"…","progress":{…}}\`: as \`/progress\` has it
- \`{"type":"gone","exportId":"…","cursor":"…"}\`: it was deleted
- \`{"type":"error","code":"…","detail":"…"}\`: what you said was not understood
- \`{"type":"ping"}\`: every 20 s; needs no answer`

/** Reelay over HTTP. Servers implement it, clients derive from it; neither says a name twice. */
export class Api extends HttpApi.make("reelay")
  .add(VideosApi, ImagesApi, ProjectsApi, ExportsApi, FarmApi)
  .annotate(HttpApi.PayloadParseOptions, exact)
  .annotate(HttpApi.QueryParseOptions, exact)
  .annotateMerge(
    OpenApi.annotations({
      title: "Reelay",
      version: "0.1.0",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" }
    })
  ) {}
