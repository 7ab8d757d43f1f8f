import { Api } from "@reelay/contracts/api/Api"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"

/** Scalar comes with the library, so the page needs no network; it is one large inline script. */
const CONTENT_SECURITY = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; ")

const policy = HttpRouter.middleware((page) =>
  Effect.map(page, (response) => HttpServerResponse.setHeader(response, "content-security-policy", CONTENT_SECURITY))
)

/** What Scalar offers its own authors on one's own machine: sharing, SDKs, a theme. */
const customCss = ".api-reference-toolbar { display: none }"

/** `/docs`: the api, to be read and tried. */
export const docs = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false, customCss } }).pipe(
  Layer.provide(policy.layer)
)
