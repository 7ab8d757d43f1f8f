import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { FieldError } from "./FieldError.ts"
import { ClipId } from "./Ids.ts"

/**
 * Everything that can go wrong over HTTP, as RFC 9457 problems with stable `type`s. `code` is what a client switches
 * on, the other members are the parameters with which it says it in its user's language.
 */
const urn = <const Code extends string>(code: Code) => `urn:reelay:problem:${code}` as const
const code = <const Code extends string>(value: Code) => Schema.tag(value)

const errors = Schema.optionalKey(Schema.Array(FieldError))

export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: urn("not_found"), status: 404, title: "Not found" },
  { code: code("not_found") }
) {}

export class Validation extends HttpApiError.Problem<Validation>()(
  "Validation",
  { type: urn("validation"), status: 400, title: "The request is not valid" },
  { code: code("validation"), errors }
) {}

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  { type: urn("unauthorized"), status: 401, title: "A valid token is needed" },
  { code: code("unauthorized") }
) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type: urn("forbidden"), status: 403, title: "Not allowed" },
  { code: code("forbidden") }
) {}

export class NoClips extends HttpApiError.Problem<NoClips>()(
  "NoClips",
  { type: urn("no_clips"), status: 400, title: "The project has no clips" },
  { code: code("no_clips") }
) {}

export class MissingCropData extends HttpApiError.Problem<MissingCropData>()(
  "MissingCropData",
  { type: urn("missing_crop_data"), status: 400, title: "A clip needs a crop for this aspect" },
  { code: code("missing_crop_data"), clipId: Schema.NullOr(ClipId) }
) {}

export class InvalidSegment extends HttpApiError.Problem<InvalidSegment>()(
  "InvalidSegment",
  { type: urn("invalid_segment"), status: 400, title: "A segment is not a part of the video" },
  { code: code("invalid_segment"), errors }
) {}

export class UnsupportedMedia extends HttpApiError.Problem<UnsupportedMedia>()(
  "UnsupportedMedia",
  { type: urn("unsupported_media"), status: 422, title: "This is not media that can be read" },
  { code: code("unsupported_media") }
) {}

export class VideoNotFound extends HttpApiError.Problem<VideoNotFound>()(
  "VideoNotFound",
  { type: urn("video_not_found"), status: 409, title: "The video is not there" },
  { code: code("video_not_found") }
) {}

export class NotCompleted extends HttpApiError.Problem<NotCompleted>()(
  "NotCompleted",
  { type: urn("not_completed"), status: 409, title: "The export is not completed" },
  { code: code("not_completed") }
) {}

export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  { type: urn("conflict"), status: 409, title: "The state does not allow this" },
  { code: code("conflict") }
) {}

/** `If-Match` names another version than the current one. */
export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()(
  "PreconditionFailed",
  { type: urn("conflict"), status: 412, title: "It was changed meanwhile" },
  { code: code("conflict") }
) {}

export class IdempotencyMismatch extends HttpApiError.Problem<IdempotencyMismatch>()(
  "IdempotencyMismatch",
  { type: urn("idempotency_mismatch"), status: 422, title: "This Idempotency-Key was used for another request" },
  { code: code("idempotency_mismatch") }
) {}

export class TooLarge extends HttpApiError.Problem<TooLarge>()(
  "TooLarge",
  { type: urn("too_large"), status: 413, title: "The request is too large" },
  { code: code("too_large") }
) {}

export class RateLimited extends HttpApiError.Problem<RateLimited>()(
  "RateLimited",
  { type: urn("rate_limited"), status: 429, title: "Too many exports" },
  { code: code("rate_limited"), retryAfterSeconds: Schema.Int }
) {}

export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type: urn("unavailable"), status: 503, title: "Not available right now" },
  {
    code: code("unavailable"),
    /** What is not there, of: database, queue, scheduler, encoder. */
    missing: Schema.optionalKey(Schema.Array(Schema.String))
  }
) {}

export class Internal extends HttpApiError.Problem<Internal>()(
  "Internal",
  { type: urn("internal"), status: 500, title: "Something went wrong on our side" },
  { code: code("internal") }
) {}
