import type { Export } from "@reelay/contracts/Export"
import { RateLimited, Unavailable } from "@reelay/contracts/Problem"
import { Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"
import type { Accepted } from "../Acceptance.ts"
import { WINDOW } from "../RateLimit.ts"
import type { Allowance } from "../RateLimit.ts"

/** Headers for whatever the answer turns out to be. */
const withHeaders = (headers: Readonly<Record<string, string>>) =>
  HttpEffect.appendPreResponseHandler((_, response) => Effect.succeed(HttpServerResponse.setHeaders(response, headers)))

/** Says where the new thing is. */
export const created = <A extends { readonly id: string }, E, R>(collection: string, made: Effect.Effect<A, E, R>) =>
  Effect.tap(made, ({ id }) => withHeaders({ location: `${collection}/${id}` }))

/** An entity tag that `If-Match` takes back. */
export const versioned = <A extends { readonly version: number }, E, R>(found: Effect.Effect<A, E, R>) =>
  Effect.tap(found, ({ version }) => withHeaders({ etag: `"${version}"` }))

/** Seconds after which a call that was refused for being one too many may be worth another try. */
const TRY_AGAIN = 10

export const worthRetrying = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.tapError(call, (error) =>
    error instanceof Unavailable ? withHeaders({ "retry-after": String(TRY_AGAIN) }) : Effect.void
  )

/** draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it. */
const rateHeaders = ({ limit, remaining, resetSeconds }: Allowance) => ({
  "ratelimit-policy": `"exports";q=${limit};w=${WINDOW}`,
  ratelimit: `"exports";r=${remaining};t=${resetSeconds}`
})

/** The export, where it is, and how many more may follow. */
export const withAllowance = <E, R>(accepted: Effect.Effect<Accepted, E, R>) =>
  accepted.pipe(
    Effect.tapError((error) =>
      error instanceof RateLimited
        ? withHeaders({
            "retry-after": String(error.retryAfterSeconds),
            ratelimit: `"exports";r=0;t=${error.retryAfterSeconds}`
          })
        : Effect.void
    ),
    Effect.tap(({ allowance }) => (allowance === null ? Effect.void : withHeaders(rateHeaders(allowance)))),
    Effect.map((answer): Export => answer.export),
    (found) => created("/api/exports", found)
  )
