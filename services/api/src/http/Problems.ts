import { Internal, NotFound, TooLarge, Validation } from "@reelay/contracts/Problem"
import type { FieldError } from "@reelay/contracts/FieldError"
import { Cause, Effect, SchemaIssue } from "effect"
import { HttpServerError, HttpServerRespondable, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiError } from "effect/http-api"

/**
 * Everything that is not a success leaves as `application/problem+json`, whatever it was inside: a handler's typed error,
 * a request that does not decode, an unknown route, a body that is too large, a bug.
 */

const MAX_ERRORS = 20
const MAX_MESSAGE = 200

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey" ? "is not a field that is known here" : SchemaIssue.defaultLeafHook(issue)
})

/** `settings.format`, `segments[0].start`: where in the request it is. */
const fieldOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path.reduce<string>((field, segment) => {
    const key = typeof segment === "object" ? segment.key : segment
    if (typeof key === "number") return `${field}[${key}]`
    return field === "" ? String(key) : `${field}.${String(key)}`
  }, "")

const errorsOf = (issue: SchemaIssue.Issue): ReadonlyArray<FieldError> =>
  formatIssues(issue)
    .issues.slice(0, MAX_ERRORS)
    .map(({ message, path }) => ({
      field: fieldOf(path ?? []) || "body",
      message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message
    }))

/** A request that is not what the contract says. An id that is none is nobody's: it answers like a missing one. */
export const problemOfRequest = (error: HttpApiError.HttpApiSchemaError): Validation | NotFound | Internal => {
  if (error.kind === "Params") return new NotFound({ detail: "There is no such thing." })
  if (error.kind === "Body" || error.kind === "ResponseHeaders") return new Internal({})
  const errors = errorsOf(error.cause.issue)
  return new Validation({ detail: errors.map(({ field, message }) => `${field}: ${message}`).join("; "), errors })
}

type AnyProblem = Validation | NotFound | Internal | TooLarge

const ofServerError = (error: HttpServerError.HttpServerError): AnyProblem => {
  switch (error.reason._tag) {
    case "RouteNotFound":
      return new NotFound({ detail: "There is nothing at this address." })
    case "RequestParseError":
      return error.reason.reason === "BodyTooLarge"
        ? new TooLarge({ detail: "The body is larger than this call takes." })
        : new Validation({ detail: "The body could not be read." })
    case "InternalError":
    case "ResponseError":
      return new Internal({})
  }
}

const ofUnknown = (error: unknown): AnyProblem | null =>
  HttpServerError.isHttpServerError(error)
    ? ofServerError(error)
    : HttpApiError.HttpApiSchemaError.is(error)
      ? problemOfRequest(error)
      : HttpApiError.HttpApiPayloadTooLarge.is(error)
        ? new TooLarge({ detail: "The body is larger than this call takes." })
        : null

/** The answer to a call that ended without one. What nobody expected goes to the log and stays out of the answer. */
export const responseOfCause = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>) {
  const failure = cause.reasons.find((reason) => reason._tag !== "Interrupt")
  // Nobody is there any more, or the server is going down.
  if (failure === undefined)
    return yield* Effect.failCause(Cause.fromReasons<never>(cause.reasons.filter(Cause.isInterruptReason)))
  const error = failure._tag === "Fail" ? failure.error : failure.defect
  if (HttpServerResponse.isHttpServerResponse(error)) return error
  const problem = ofUnknown(error) ?? (HttpServerRespondable.isRespondable(error) ? error : null)
  if (problem === null || problem instanceof Internal) yield* Effect.logError("a call ended in a defect", cause)
  return yield* HttpServerRespondable.toResponse(problem ?? new Internal({})).pipe(Effect.orDie)
})

const TITLES: Record<number, string> = { 405: "Method not allowed", 416: "The range is not a part of the file" }

/** Answers that a library made without a problem get one. */
export const withProblemBody = (
  response: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  if (response.status < 400 || response.headers["content-type"]?.startsWith(ProblemDetails.contentType) === true) {
    return response
  }
  const { status } = response
  const body =
    status === 415
      ? {
          type: "urn:reelay:problem:unsupported_media",
          title: "This content type is not taken here",
          code: "unsupported_media"
        }
      : status === 413
        ? { type: "urn:reelay:problem:too_large", title: "The request is too large", code: "too_large" }
        : { type: "about:blank", title: TITLES[status] ?? "The request failed", code: "error" }
  const { "content-length": _length, "content-type": _type, ...headers } = response.headers
  return HttpServerResponse.setHeaders(ProblemDetails.toResponse({ ...body, status }), headers)
}
