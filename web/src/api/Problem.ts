import { FieldError, unsaid } from "@reelay/contracts/FieldError"
import { Result, Schema } from "effect"

/** What a client needs of an RFC 9457 problem. Anything may stand where a problem should: hence all optional. */
const ProblemBody = Schema.Struct({
  code: Schema.optionalKey(Schema.String),
  title: Schema.optionalKey(Schema.String),
  detail: Schema.optionalKey(Schema.String),
  errors: Schema.optionalKey(Schema.Array(FieldError)),
  retryAfterSeconds: Schema.optionalKey(Schema.Finite)
})
type ProblemBody = typeof ProblemBody.Type
const decodeBody = Schema.decodeUnknownResult(ProblemBody)

/**
 * Why a request did not succeed. `refused`: the server said no, `code` says why. `unreachable`: no answer (network,
 * gateway). `timeout`: none in time. `garbled`: an answer that is not what contracts say. `aborted`: by the person.
 */
export interface Failure {
  readonly kind: "refused" | "unreachable" | "timeout" | "garbled" | "aborted"
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly code: string
  /** For the person, whole sentences. */
  readonly message: string
}

export class RequestFailed extends Error {
  override readonly name = "RequestFailed"
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

const sentences: Record<string, string> = {
  unauthorized: "Please sign in again.",
  forbidden: "You are not allowed to do this.",
  not_found: "This is no longer there.",
  video_not_found: "The video is no longer there. Upload it again.",
  not_completed: "The file is not finished yet.",
  conflict: "This is no longer possible: it was changed meanwhile.",
  idempotency_mismatch: "This request was already sent with other settings. Try again.",
  unavailable: "The service cannot take this right now. Nothing was lost; try again in a moment.",
  internal: "Something went wrong on our side. Try again.",
  unsupported_media: "This file is not a video that can be read.",
  too_large: "This file is too large.",
  no_clips: "There is nothing to export: the project has no clips."
}

/** Here the server's words say more than ours, which only stand in when it has none. */
const OWN_WORDS_LAST = new Set(["unsupported_media", "too_large", "conflict"])

const waitOf = (seconds: number): string =>
  seconds < 90 ? `${Math.max(1, Math.ceil(seconds))} seconds` : `${Math.ceil(seconds / 60)} minutes`

const sentence = (status: number, body: ProblemBody): string => {
  const code = body.code ?? ""
  if (code === "rate_limited") {
    return body.retryAfterSeconds === undefined
      ? "That were too many exports for now. Try again later."
      : `That were too many exports for now. Try again in ${waitOf(body.retryAfterSeconds)}.`
  }
  // The server's own words name the field or the file; ours only say the kind.
  if (body.errors !== undefined && body.errors.length > 0) {
    const said = body.detail ?? body.title ?? "Not valid"
    const fields = unsaid(said, body.errors)
    return fields.length === 0 ? said : `${said}: ${fields.join("; ")}`
  }
  const own = sentences[code]
  if (own !== undefined && !OWN_WORDS_LAST.has(code)) return own
  if (body.detail !== undefined && body.detail !== "") return body.detail
  return own ?? body.title ?? `The server answered ${status}.`
}

const codes: Record<number, string> = { 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large" }

/** A non-2xx answer → the failure it means, whatever its body is. */
export const refusal = (status: number, body: unknown): Failure => {
  const problem = Result.getOrElse(decodeBody(body), (): ProblemBody => ({}))
  const code = problem.code ?? codes[status] ?? (status >= 500 ? "unavailable" : "unknown")
  // A gateway without its server behind it speaks for nobody.
  const kind = problem.code === undefined && status >= 502 && status <= 504 ? "unreachable" : "refused"
  return { kind, status, code, message: sentence(status, { ...problem, code }) }
}

export const unreachable: Failure = {
  kind: "unreachable",
  status: 0,
  code: "unreachable",
  message: "Reelay cannot be reached right now."
}
export const timedOut: Failure = {
  kind: "timeout",
  status: 0,
  code: "timeout",
  message: "Reelay did not answer in time."
}
export const garbled: Failure = {
  kind: "garbled",
  status: 0,
  code: "garbled",
  message: "The server gave an answer that this page does not understand. Reload the page."
}
export const aborted: Failure = { kind: "aborted", status: 0, code: "aborted", message: "Stopped." }

/** Whether the same request may well succeed later: the fault is not in what was asked. */
export const isTransient = (failure: Failure): boolean =>
  failure.kind === "refused"
    ? failure.status === 401 || failure.status === 429 || failure.status >= 500
    : failure.kind !== "aborted"

export const failureOf = (error: unknown): Failure =>
  error instanceof RequestFailed ? error.failure : { ...garbled, code: "internal" }
