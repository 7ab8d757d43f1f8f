import { Validation } from "@reelay/contracts/Problem"
import { Config, Duration, Effect, Schema, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"

const Seconds = Schema.FiniteFromString.check(Schema.isGreaterThan(0))

/** A request's body as it comes: it may take for ever, but not without a byte. */
export const uploads = Effect.gen(function* () {
  const idleSeconds = yield* Config.schema(Seconds, "REELAY_UPLOAD_IDLE_SECONDS").pipe(Config.withDefault(60))
  return ({ stream }: HttpServerRequest.HttpServerRequest): Stream.Stream<Uint8Array, Validation> =>
    stream.pipe(
      Stream.mapError(() => new Validation({ detail: "The upload broke off." })),
      Stream.timeoutOrElse({
        duration: Duration.seconds(idleSeconds),
        orElse: () => Stream.fail(new Validation({ detail: `Nothing came for ${idleSeconds} seconds.` }))
      })
    )
})
