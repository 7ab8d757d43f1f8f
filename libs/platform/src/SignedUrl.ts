import { Clock, Config, Context, Effect, Layer, Schema } from "effect"
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto"
import { readFile } from "node:fs/promises"

/** The secret file is missing, unreadable or too short to be a secret. */
export class SecretError extends Schema.TaggedError<SecretError>()("SecretError", {
  file: Schema.String,
  cause: Schema.Defect()
}) {}

const SECRET_BYTES = 32

/** The installation's secret, REELAY_SECRET_FILE. What needs a key derives one of its own from it (HKDF, by purpose). */
export const secretKey = Effect.fn("secretKey")(function* (purpose: string) {
  const file = yield* Config.NonEmptyString("REELAY_SECRET_FILE")
  const secret = yield* Effect.tryPromise({
    try: () => readFile(file),
    catch: (cause) => new SecretError({ file, cause })
  })
  if (secret.length < SECRET_BYTES) {
    return yield* new SecretError({
      file,
      cause: new Error(`it has ${secret.length} bytes, ${SECRET_BYTES} are needed`)
    })
  }
  return Buffer.from(hkdfSync("sha256", secret, "", `reelay:${purpose}`, SECRET_BYTES))
})

/**
 * Paths of the api that need no token for a while: what a `<video>`, an `<img>` or a download link can use. Whoever has
 * such a path may read what it names until it expires, and nothing else.
 */
export class SignedUrl extends Context.Service<
  SignedUrl,
  {
    /** The path (without a query) with `expires` (Unix seconds) and `signature` added. */
    readonly sign: (path: string, expires: number) => string
    /** Whether the query was made by `sign` for this path and has not expired. */
    readonly verify: (
      path: string,
      query: {
        readonly expires?: string | undefined
        readonly signature?: string | undefined
      }
    ) => Effect.Effect<boolean>
  }
>()("@reelay/platform/SignedUrl") {
  static readonly layer = Layer.effect(
    SignedUrl,
    Effect.gen(function* () {
      const key = yield* secretKey("signed-url")
      const signatureOf = (path: string, expires: string) =>
        createHmac("sha256", key).update(`${expires}\n${path}`).digest()
      return SignedUrl.of({
        sign: (path, expires) =>
          `${path}?expires=${expires}&signature=${signatureOf(path, String(expires)).toString("base64url")}`,
        verify: Effect.fnUntraced(function* (path, { expires, signature }) {
          if (expires === undefined || signature === undefined || !/^\d{1,12}$/.test(expires)) return false
          const given = Buffer.from(signature, "base64url")
          const right = signatureOf(path, expires)
          const now = yield* Clock.currentTimeMillis
          return given.length === right.length && timingSafeEqual(given, right) && Number(expires) * 1000 > now
        })
      })
    })
  )
}
