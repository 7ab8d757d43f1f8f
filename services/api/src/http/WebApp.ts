import { NotFound } from "@reelay/contracts/Problem"
import { Config, Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerResponse, HttpServerRespondable, HttpStaticServer } from "effect/http"

/**
 * The built web application (`REELAY_WEB`), on the same origin as the api: files by name, and its page for every other
 * address that a browser opens, as the page's own router knows those.
 */

/** Only what it brings itself; its own origin for data, sockets and media; nobody may frame it. */
const CONTENT_SECURITY = [
  "default-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** Names below `assets/` carry a digest of what is in them. */
const cacheFor = (path: string): string =>
  path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache"

/** Addresses that are the api's: a wrong one is a problem and not a page. */
const OURS = /^\/(api|health|metrics|ws|docs|openapi\.json)(\/|$)/

export const webApp = Layer.unwrap(
  Effect.gen(function* () {
    const root = yield* Config.option(Config.NonEmptyString("REELAY_WEB"))
    if (Option.isNone(root)) return Layer.empty
    const files = yield* HttpStaticServer.make({ root: root.value, spa: true })
    return HttpRouter.add("GET", "/*", (request) => {
      const path = request.url.split("?")[0] ?? "/"
      if (OURS.test(path))
        return HttpServerRespondable.toResponse(new NotFound({ detail: "There is nothing at this address." }))
      return Effect.map(files, (response) =>
        HttpServerResponse.setHeaders(response, {
          "cache-control": cacheFor(path),
          "content-security-policy": CONTENT_SECURITY
        })
      )
    })
  })
)
