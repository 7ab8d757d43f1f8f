import { UserId } from "@reelay/contracts/Ids"
import { MAX_USER_BYTES } from "@reelay/contracts/ObjectKeys"
import { Config, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { createRemoteJWKSet, errors, jwtVerify, SignJWT } from "jose"
import type { JWTPayload } from "jose"
import * as Origin from "./Origin.ts"
import { secretKey } from "./SignedUrl.ts"

/** Whom a request speaks for. `userId` is the tenant of all it may see; operators may also run the farm. */
export interface Caller {
  readonly userId: UserId
  readonly operator: boolean
  /** Unix seconds from which on it is nobody's word any more; null: it does not end. */
  readonly expires: number | null
}

/** `missing` and `invalid` are the caller's (401); `unavailable`: the issuer's keys cannot be had just now (503). */
export class AuthError extends Schema.TaggedError<AuthError>()("AuthError", {
  reason: Schema.Literals(["missing", "invalid", "unavailable"]),
  /** For the caller: says nothing about keys. */
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The user of the embedded default, who needs no token and is an operator. */
export const LOCAL_USER = UserId.make("local")

const Claims = Schema.Struct({
  sub: UserId,
  exp: Schema.Finite,
  role: Schema.optionalKey(Schema.Unknown)
})

/** `local`: no token is the local user, which is why only loopback may ask. `jwt`: every request brings a valid token. */
export class Auth extends Context.Service<
  Auth,
  {
    readonly mode: "local" | "jwt"
    /** Origins, beside the server's own, whose pages may call (`REELAY_CORS_ORIGINS`). */
    readonly origins: ReadonlyArray<string>
    /** Who a token speaks for. Null: none came. */
    authenticate(token: Redacted.Redacted | null): Effect.Effect<Caller, AuthError>
    /**
     * Whether a request that carries these headers may be heard at all. In local mode the machine itself is the
     * credential, so a page elsewhere, or a name that was rebound to loopback, must not get to use it.
     */
    admits(headers: { readonly host?: string | undefined; readonly origin?: string | undefined }): boolean
  }
>()("@reelay/platform/Auth") {
  static readonly layer = Layer.effect(
    Auth,
    Effect.gen(function* () {
      const mode = yield* Config.Literals(["local", "jwt"], "REELAY_AUTH").pipe(Config.withDefault("local"))
      const origins = (yield* Config.Array(Schema.String, "REELAY_CORS_ORIGINS").pipe(Config.withDefault([])))
        .map((origin) => origin.trim())
        .filter((origin) => origin !== "")
      const verify = mode === "local" ? yield* localVerifier : yield* jwtVerifier
      return Auth.of({
        mode,
        origins,
        authenticate: Effect.fn("Auth.authenticate")(function* (token) {
          if (token === null) {
            if (mode === "local") return { userId: LOCAL_USER, operator: true, expires: null }
            return yield* new AuthError({ reason: "missing", detail: "No token came with the request." })
          }
          const payload = yield* Effect.tryPromise({ try: () => verify(Redacted.value(token)), catch: toAuthError })
          const claims = yield* Schema.decodeUnknownEffect(Claims)(payload).pipe(
            Effect.mapError(() => new AuthError({ reason: "invalid", detail: "The token names no user." }))
          )
          if (Buffer.byteLength(claims.sub) > MAX_USER_BYTES) {
            const detail = `The token's subject has more than ${MAX_USER_BYTES} bytes.`
            return yield* new AuthError({ reason: "invalid", detail })
          }
          return {
            userId: claims.sub,
            operator: claims.role === "operator",
            expires: claims.exp + CLOCK_TOLERANCE
          }
        }),
        admits: ({ host, origin }) => mode === "jwt" || Origin.admitsLocally({ host, origin }, origins)
      })
    })
  )
}

type Verify = (token: string) => Promise<JWTPayload>

/** Seconds that the issuer's clock may differ from ours. */
const CLOCK_TOLERANCE = 5

/** Of every token. One that never expires is a password that nobody can change. */
const ALWAYS = { clockTolerance: CLOCK_TOLERANCE, requiredClaims: ["exp"] }

const localTokenKey = secretKey("local-token")

/** A token that `REELAY_AUTH=local` accepts: for scripts on this machine that act for another user. Lives an hour. */
export const signLocalToken = Effect.fn("signLocalToken")(function* (caller: Omit<Caller, "expires">) {
  const key = yield* localTokenKey
  return yield* Effect.promise(() =>
    new SignJWT(caller.operator ? { role: "operator" } : {})
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(caller.userId)
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(key)
  )
})

const localVerifier = Effect.gen(function* () {
  const key = yield* localTokenKey
  return ((token) =>
    jwtVerify(token, key, { ...ALWAYS, algorithms: ["HS256"] }).then((verified) => verified.payload)) satisfies Verify
})

/** Bytes: less than the digest's length would weaken HS256. */
const MINIMUM_SECRET_BYTES = 32

/** Only signatures that need the issuer's private key: with a public key set, HS256 would let anyone sign. */
const ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

const jwtVerifier = Effect.gen(function* () {
  const issuer = yield* Config.option(Config.NonEmptyString("REELAY_JWT_ISSUER"))
  const audience = yield* Config.option(Config.NonEmptyString("REELAY_JWT_AUDIENCE"))
  if (Option.isNone(audience)) {
    yield* Effect.logWarning(
      "REELAY_JWT_AUDIENCE is not set: tokens that the issuer gave out for other applications are accepted, too"
    )
  }
  const expected = {
    ...ALWAYS,
    ...(Option.isSome(issuer) ? { issuer: issuer.value } : {}),
    ...(Option.isSome(audience) ? { audience: audience.value } : {})
  }
  const secret = yield* Config.option(Config.Redacted("REELAY_JWT_SECRET"))
  if (Option.isSome(secret)) {
    const key = new TextEncoder().encode(Redacted.value(secret.value))
    if (key.byteLength < MINIMUM_SECRET_BYTES) {
      return yield* new AuthError({
        reason: "unavailable",
        detail: `REELAY_JWT_SECRET needs at least ${MINIMUM_SECRET_BYTES} bytes.`
      })
    }
    return ((token) =>
      jwtVerify(token, key, { ...expected, algorithms: ["HS256"] }).then(
        (verified) => verified.payload
      )) satisfies Verify
  }
  const keys = createRemoteJWKSet(yield* Config.URL("REELAY_JWKS_URL"))
  return ((token) =>
    jwtVerify(token, keys, { ...expected, algorithms: ASYMMETRIC }).then(
      (verified) => verified.payload
    )) satisfies Verify
})

const NOT_THE_CALLERS = ["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID"]

const toAuthError = (cause: unknown): AuthError => {
  if (cause instanceof errors.JWTExpired) {
    return new AuthError({ reason: "invalid", detail: "The token has expired.", cause })
  }
  if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === "exp" && cause.reason === "missing") {
    return new AuthError({ reason: "invalid", detail: "The token does not say when it expires (exp).", cause })
  }
  // Anything that is not jose's is a failed fetch of the key set.
  return cause instanceof errors.JOSEError && !NOT_THE_CALLERS.includes(cause.code)
    ? new AuthError({ reason: "invalid", detail: "The token is not valid here.", cause })
    : new AuthError({ reason: "unavailable", detail: "The keys of the token's issuer cannot be had right now.", cause })
}
