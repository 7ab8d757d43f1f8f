import { Context, Schema } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { UserId } from "../Ids.ts"
import { Forbidden, Internal, NotFound, TooLarge, Unauthorized, Unavailable, Validation } from "../Problem.ts"

/** Whom the request speaks for. */
export class CurrentCaller extends Context.Service<
  CurrentCaller,
  {
    readonly userId: UserId
    readonly operator: boolean
  }
>()("@reelay/contracts/api/CurrentCaller") {}

/** As the registry of schemes writes it: readers of the description know no other. The header's case is any. */
const bearer = HttpApiSecurity.http({ scheme: "bearer" })

/** `Authorization: Bearer <JWT>`; in the embedded default it may be left out (docs: local mode). */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentCaller }>()(
  "@reelay/contracts/api/Authorization",
  { security: { bearer }, error: [Unauthorized, Forbidden, Unavailable] }
) {}

/** What any call can answer: to a request that does not decode, to an id that is none, and what is nobody's fault but ours. */
export class Requests extends HttpApiMiddleware.Service<Requests>()("@reelay/contracts/api/Requests", {
  error: [Validation, NotFound, TooLarge, Unavailable, Internal]
}) {}

/** Query of a URL that the api signed, for players and images, which send no token. */
export const signedQuery = {
  expires: Schema.optionalKey(Schema.String),
  signature: Schema.optionalKey(Schema.String)
}
