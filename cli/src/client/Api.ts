import { Api } from "@reelay/contracts/api/Api"
import { FieldError, unsaid } from "@reelay/contracts/FieldError"
import { Config, Effect, Option, Predicate, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { Failure } from "../Failure.ts"

/** The api does not answer, or can't do its work right now: the same call may well succeed in a moment. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { message: Schema.String }) {}

/** Every call of the wire, typed by the contract. */
export type ApiClient = HttpApiClient.ForApi<typeof Api>

/** Of the caller, where the api wants one (REELAY_AUTH=jwt). */
export const token = Config.option(Config.Redacted("REELAY_TOKEN"))

export const clientOf = Effect.fn("Api.clientOf")(function* (url: string) {
  const bearer = yield* token
  return yield* HttpApiClient.make(Api, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest((request) =>
      Option.match(bearer, {
        onNone: () => request,
        onSome: (value) => HttpClientRequest.bearerToken(request, Redacted.value(value))
      })
    )
  })
})

const PASSING_CODES = new Set(["unavailable", "internal"])

const isFieldErrors = Schema.is(Schema.Array(FieldError))

/** What the problem's field errors add to its text. */
const fieldsOf = (error: Error): string => {
  const fields =
    Predicate.hasProperty(error, "errors") && isFieldErrors(error.errors) ? unsaid(error.message, error.errors) : []
  return fields.length === 0 ? "" : ` (${fields.join("; ")})`
}

/** What the api said, or why it said nothing, as one line for a person. */
export const sayWhy = (error: unknown): Failure | Unreachable => {
  if (error instanceof Failure || error instanceof Unreachable) return error
  if (Predicate.hasProperty(error, "code") && typeof error.code === "string" && Predicate.isError(error)) {
    return PASSING_CODES.has(error.code)
      ? new Unreachable({ message: error.message })
      : new Failure({ code: error.code, message: `${error.message}${fieldsOf(error)}` })
  }
  if (Predicate.isTagged(error, "HttpClientError")) {
    const why = Predicate.isError(error) ? error.message : "no connection"
    return new Unreachable({ message: `Reelay does not answer right now: ${why}` })
  }
  return new Failure({
    message: `the api's answer is not understood: ${Predicate.isError(error) ? error.message : String(error)}`
  })
}
