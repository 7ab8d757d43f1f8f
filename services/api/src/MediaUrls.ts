import { SignedUrl } from "@reelay/platform/SignedUrl"
import { Clock, Effect } from "effect"

/** Seconds. A player's URL stays the same for this long, so that polling does not make it load anew, and lives twice it. */
const STEADY = 6 * 3600

/** Makes paths of the api that a `<video>` or an `<img>` can use without a token, for six to twelve hours. */
export const mediaSigner = Effect.gen(function* () {
  const urls = yield* SignedUrl
  const now = yield* Clock.currentTimeMillis
  const expires = (Math.floor(now / 1000 / STEADY) + 2) * STEADY
  return (path: string): string => urls.sign(path, expires)
})
