import { Forbidden, TooLarge } from "@reelay/contracts/Problem"
import { Auth } from "@reelay/platform/Auth"
import { ByteSize, Duration, Effect, Metric } from "effect"
import type { Types } from "effect"
import {
  HttpIncomingMessage,
  HttpMiddleware,
  HttpRouter,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "effect/http"
import { responseOfCause, withProblemBody } from "./Problems.ts"

/** The most that a body of JSON may have. Uploads of media are streams and have a limit of their own. */
const MAX_JSON = ByteSize.mebibytes(1)

export const isJson = (request: HttpServerRequest.HttpServerRequest): boolean =>
  /^application\/([a-z0-9.+-]+\+)?json\b/i.test(request.headers["content-type"] ?? "")

/** Said early: nobody has to send ten megabytes to be told. */
const isTooLarge = (request: HttpServerRequest.HttpServerRequest): boolean =>
  isJson(request) && Number(request.headers["content-length"] ?? 0) > ByteSize.toNumberUnsafe(MAX_JSON)

const SECURITY = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin"
}

/** What a page of the api's own origin may do; `/docs` and the web application bring their own, looser rules. */
const NOTHING = "default-src 'none'; frame-ancestors 'none'; sandbox"

const finished = (request: HttpServerRequest.HttpServerRequest, response: HttpServerResponse.HttpServerResponse) => {
  const challenge = request.headers["authorization"] === undefined ? "Bearer" : `Bearer error="invalid_token"`
  return HttpServerResponse.setHeaders(response, {
    ...SECURITY,
    "content-security-policy": NOTHING,
    "cache-control": "no-store",
    ...(response.status === 401 ? { "www-authenticate": challenge } : {}),
    ...response.headers
  })
}

const requests = Metric.counter("reelay_http_requests_total", { description: "Answered, by method and status" })
const seconds = Metric.histogram("reelay_http_request_seconds", {
  description: "Until the answer began",
  boundaries: [0.005, 0.02, 0.1, 0.5, 2, 10, 60]
})

/** Counts what was answered, and how fast. */
const measured = <E, R>(answer: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>, method: string) =>
  Effect.timed(answer).pipe(
    Effect.tap(([took, { status }]) =>
      Effect.andThen(
        Metric.update(Metric.withAttributes(requests, { method, status: String(status) }), 1),
        Metric.update(seconds, Duration.toSeconds(took))
      )
    ),
    Effect.map(([, response]) => response)
  )

/** Anything may come as a method; a metric must not grow with it. */
const knownMethod = (method: string): string =>
  /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method) ? method : "other"

/**
 * What every request passes on its way in and out: may it be heard at all (local mode), CORS by the allow-list, limits of
 * bodies, and a problem for whatever went wrong.
 */
export const pipeline = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const auth = yield* Auth
    const cors = HttpMiddleware.cors({
      allowedOrigins: (origin) => auth.origins.includes(origin),
      allowedMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
      allowedHeaders: ["authorization", "content-type", "idempotency-key", "if-match", "range"],
      exposedHeaders: [
        "location",
        "etag",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "content-range",
        "content-disposition"
      ],
      maxAge: 600
    })
    type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest.HttpServerRequest>
    const answered = (app: App) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const heard = isTooLarge(request)
          ? Effect.fail(
              new TooLarge({ detail: `A request may have ${ByteSize.toNumberUnsafe(MAX_JSON)} bytes of JSON at most.` })
            )
          : app
        return yield* heard.pipe(
          Effect.catchCause(responseOfCause),
          Effect.provideService(HttpIncomingMessage.MaxBodySize, MAX_JSON),
          Effect.map(withProblemBody)
        )
      })
    const guarded = (app: App) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const { host, origin } = request.headers
        const response = auth.admits({ host, origin })
          ? yield* cors(answered(app))
          : yield* HttpServerRespondable.toResponse(
              new Forbidden({
                detail: "Reelay listens to this machine only, under its own name, and to pages of its own."
              })
            )
        return finished(request, response)
      })
    yield* router.addGlobalMiddleware(
      (
        app
      ): Effect.Effect<HttpServerResponse.HttpServerResponse, Types.unhandled, HttpServerRequest.HttpServerRequest> =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) => measured(guarded(app), knownMethod(method)))
    )
  })
)
