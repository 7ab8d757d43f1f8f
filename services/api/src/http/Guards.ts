import { Authorization, CurrentCaller, Requests } from "@reelay/contracts/api/Authorization"
import { Forbidden, Unauthorized, Unavailable } from "@reelay/contracts/Problem"
import { Auth } from "@reelay/platform/Auth"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { Effect, Layer, Redacted } from "effect"
import { HttpServerRequest, HttpServerRespondable } from "effect/http"
import { HttpApiMiddleware } from "effect/http-api"
import { problemOfRequest } from "./Problems.ts"

/** Whom a request speaks for, by its Authorization header. */
const callerOf = Effect.fnUntraced(function* (header: string | undefined) {
  const auth = yield* Auth
  const [, token] = /^bearer +(\S+) *$/i.exec(header ?? "") ?? []
  // A header that says something else is no reason to take its sender for the local user.
  if (header !== undefined && token === undefined)
    return yield* new Unauthorized({ detail: "A Bearer token is needed." })
  return yield* auth
    .authenticate(token === undefined ? null : Redacted.make(token))
    .pipe(
      Effect.mapError((error) =>
        error.reason === "unavailable"
          ? new Unavailable({ detail: error.detail, missing: ["identity provider"] })
          : new Unauthorized({ detail: error.detail })
      )
    )
})

const authorization = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const auth = yield* Auth
    return Authorization.of({
      bearer: Effect.fnUntraced(function* (httpEffect) {
        const request = yield* HttpServerRequest.HttpServerRequest
        const caller = yield* callerOf(request.headers["authorization"]).pipe(Effect.provideService(Auth, auth))
        return yield* Effect.provideService(httpEffect, CurrentCaller, caller)
      })
    })
  })
)

const requests = HttpApiMiddleware.layerSchemaErrorTransform(Requests, (error) => {
  const problem = problemOfRequest(error)
  return problem._tag === "Internal"
    ? Effect.logError("an answer does not match its contract", error.cause).pipe(
        Effect.andThen(HttpServerRespondable.toResponse(problem))
      )
    : Effect.fail(problem)
})

export const guards = Layer.merge(authorization, requests)

interface Signature {
  readonly expires?: string | undefined
  readonly signature?: string | undefined
}

/**
 * Who may read the bytes at `path`: whoever holds its signed URL (then null: whosever they are), else the caller.
 */
export const readerOf = Effect.fnUntraced(function* (path: string, query: Signature) {
  if (query.signature !== undefined || query.expires !== undefined) {
    const urls = yield* SignedUrl
    if (yield* urls.verify(path, query)) return null
    return yield* new Forbidden({ detail: "This link has expired, or it is not one that Reelay gave." })
  }
  const request = yield* HttpServerRequest.HttpServerRequest
  return (yield* callerOf(request.headers["authorization"])).userId
})

export const operatorOnly = Effect.gen(function* () {
  const caller = yield* CurrentCaller
  if (!caller.operator) return yield* new Forbidden({ detail: "This is for operators." })
  return caller
})
