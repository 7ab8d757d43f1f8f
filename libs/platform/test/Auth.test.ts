import { UserId } from "@reelay/contracts/Ids"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Logger, Redacted } from "effect"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Auth, LOCAL_USER, signLocalToken } from "../src/Auth.ts"
import { admitsLocally } from "../src/Origin.ts"

const withEnv = (env: Record<string, string>) =>
  Auth.layer.pipe(Layer.provideMerge(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))

const secretFile = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await mkdtemp(join(tmpdir(), "reelay-auth-"))
    const secret = randomBytes(32)
    await writeFile(join(folder, "secret"), secret, { mode: 0o600 })
    return { folder, path: join(folder, "secret"), secret }
  }),
  ({ folder }) => Effect.promise(() => rm(folder, { recursive: true }))
)

const alice = UserId.make("alice")
const reasonOf = (token: string | null) =>
  Auth.use((auth) => auth.authenticate(token === null ? null : Redacted.make(token))).pipe(
    Effect.flip,
    Effect.map((error) => error.reason)
  )
const callerOf = (token: string | null) =>
  Auth.use((auth) => auth.authenticate(token === null ? null : Redacted.make(token)))

const HS = "a secret of no less than thirty-two bytes"
const hs256 = (claims: Record<string, unknown>, key = HS) =>
  new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(key))

describe("Auth, local", () => {
  it.effect("no token is the local operator; a token is the user that it names; a wrong one is nobody", () =>
    Effect.gen(function* () {
      const { path, secret } = yield* secretFile
      const environment = withEnv({ REELAY_SECRET_FILE: path })
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* callerOf(null), { userId: LOCAL_USER, operator: true, expires: null })
        const token = yield* signLocalToken({ userId: alice, operator: false })
        assert.deepInclude(yield* callerOf(token), { userId: alice, operator: false })
        // Signed with the bare secret, as media URLs are, it is worth nothing.
        const bare = yield* Effect.promise(() =>
          new SignJWT({ sub: "alice" }).setExpirationTime("1m").setProtectedHeader({ alg: "HS256" }).sign(secret)
        )
        assert.strictEqual(yield* reasonOf(bare), "invalid")
        assert.strictEqual(yield* reasonOf("nonsense"), "invalid")
        const operator = yield* signLocalToken({ userId: alice, operator: true })
        assert.deepInclude(yield* callerOf(operator), { userId: alice, operator: true })
      }).pipe(Effect.provide(environment))
    })
  )

  it.effect("a short secret does not start", () =>
    Effect.gen(function* () {
      const { path } = yield* secretFile
      yield* Effect.promise(() => writeFile(path, "short"))
      const error = yield* Effect.flip(Effect.provide(callerOf(null), withEnv({ REELAY_SECRET_FILE: path })))
      assert.strictEqual(error._tag, "SecretError")
    })
  )
})

describe("Auth, jwt", () => {
  it.effect("HS256: subject, role, issuer, audience, expiry, and no way round the algorithm", () =>
    Effect.gen(function* () {
      const exp = Math.floor(Date.now() / 1000) + 60
      const good = { sub: "alice", iss: "https://issuer", aud: "reelay", exp }
      const token = (claims: Record<string, unknown>, key?: string) => Effect.promise(() => hs256(claims, key))
      const caller = yield* callerOf(yield* token(good))
      assert.deepInclude(caller, { userId: alice, operator: false })
      // As long as a token is taken, and no longer.
      assert.strictEqual(caller.expires, exp + 5)
      assert.deepInclude(yield* callerOf(yield* token({ ...good, role: "operator" })), {
        userId: alice,
        operator: true
      })
      assert.strictEqual((yield* callerOf(yield* token({ ...good, role: ["operator"] }))).operator, false)
      assert.strictEqual(yield* reasonOf(null), "missing")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, iss: "https://other" })), "invalid")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, aud: "other" })), "invalid")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, exp: 1 })), "invalid")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, sub: undefined })), "invalid")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, sub: "" })), "invalid")
      // What neither Postgres nor a file's name can tell from another's.
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, sub: "a\0b" })), "invalid")
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, sub: "\ud800" })), "invalid")
      const { exp: _, ...endless } = good
      assert.match((yield* Effect.flip(callerOf(yield* token(endless)))).detail, /when it expires/)
      assert.strictEqual(yield* reasonOf(yield* token({ ...good, sub: "é".repeat(96) })), "invalid")
      assert.strictEqual((yield* callerOf(yield* token({ ...good, sub: "é".repeat(95) }))).userId.length, 95)
      assert.strictEqual(yield* reasonOf(yield* token(good, "another secret of thirty-two bytes or more")), "invalid")
      const none = `${btoa(JSON.stringify({ alg: "none" }))}.${btoa(JSON.stringify(good))}.`.replaceAll("=", "")
      assert.strictEqual(yield* reasonOf(none), "invalid")
    }).pipe(
      Effect.provide(
        withEnv({
          REELAY_AUTH: "jwt",
          REELAY_JWT_SECRET: HS,
          REELAY_JWT_ISSUER: "https://issuer",
          REELAY_JWT_AUDIENCE: "reelay"
        })
      )
    )
  )

  it.effect(
    "JWKS: the issuer's key counts, HS256 with the public key does not, an issuer that is away is said so",
    () =>
      Effect.gen(function* () {
        const { publicKey, privateKey } = yield* Effect.promise(() => generateKeyPair("ES256", { extractable: true }))
        const jwk = yield* Effect.promise(() => exportJWK(publicKey))
        const server = createServer((_, response) => {
          response.setHeader("content-type", "application/json")
          response.end(JSON.stringify({ keys: [{ ...jwk, kid: "k1", alg: "ES256" }] }))
        })
        const port = yield* Effect.acquireRelease(
          Effect.callback<number>((resume) => {
            server.listen(0, "127.0.0.1", () => {
              const address = server.address()
              resume(
                typeof address === "object" && address !== null ? Effect.succeed(address.port) : Effect.die(address)
              )
            })
          }),
          () => Effect.sync(() => server.close())
        )
        yield* Effect.gen(function* () {
          const token = yield* Effect.promise(() =>
            new SignJWT({ sub: "alice" })
              .setExpirationTime("1m")
              .setProtectedHeader({ alg: "ES256", kid: "k1" })
              .sign(privateKey)
          )
          assert.deepInclude(yield* callerOf(token), { userId: alice, operator: false })
          const confused = yield* Effect.promise(() =>
            hs256({ sub: "alice", exp: 1e10 }, JSON.stringify(jwk).padEnd(64))
          )
          assert.strictEqual(yield* reasonOf(confused), "invalid")
          const stranger = yield* Effect.promise(() =>
            new SignJWT({ sub: "alice" })
              .setExpirationTime("1m")
              .setProtectedHeader({ alg: "ES256", kid: "other" })
              .sign(privateKey)
          )
          assert.strictEqual(yield* reasonOf(stranger), "invalid")
        }).pipe(Effect.provide(withEnv({ REELAY_AUTH: "jwt", REELAY_JWKS_URL: `http://127.0.0.1:${port}/keys` })))
        const token = yield* Effect.promise(() =>
          new SignJWT({ sub: "alice" })
            .setExpirationTime("1m")
            .setProtectedHeader({ alg: "ES256", kid: "k1" })
            .sign(privateKey)
        )
        assert.strictEqual(
          yield* reasonOf(token).pipe(
            Effect.provide(withEnv({ REELAY_AUTH: "jwt", REELAY_JWKS_URL: "http://127.0.0.1:1/keys" }))
          ),
          "unavailable"
        )
      })
  )
})

describe("Auth, what it says at its start", () => {
  const saidWith = (env: Record<string, string>) =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
      yield* Effect.provide(
        Effect.void,
        Layer.fresh(withEnv({ REELAY_AUTH: "jwt", REELAY_JWT_SECRET: HS, ...env }))
      ).pipe(Effect.provide(logger))
      return said.filter((line) => line.includes("REELAY_JWT_AUDIENCE"))
    })
  it.effect("that it takes tokens meant for others, once, where no audience is set", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* saidWith({}), 1)
      assert.lengthOf(yield* saidWith({ REELAY_JWT_AUDIENCE: "reelay" }), 0)
    })
  )
})

describe("Origin", () => {
  const cases: ReadonlyArray<[host: string | undefined, origin: string | undefined, admitted: boolean]> = [
    ["127.0.0.1:8080", undefined, true],
    ["localhost:8080", "http://localhost:8080", true],
    ["[::1]:8080", "http://[::1]:8080", true],
    ["127.0.0.1:80", undefined, true],
    ["127.0.0.1:8080", "http://studio.example", true],
    ["127.0.0.1:8080", "http://127.0.0.1:9090", false],
    ["127.0.0.1:8080", "http://localhost:8080", false],
    ["127.0.0.1:8080", "null", false],
    ["127.0.0.1:8080", "https://evil.example", false],
    ["evil.example:8080", undefined, false],
    ["evil.example:8080", "http://evil.example:8080", false],
    ["127.0.0.1.evil.example", undefined, false],
    ["localhost.evil.example", undefined, false],
    ["x@127.0.0.1:8080", undefined, false],
    ["0.0.0.0:8080", undefined, false],
    [undefined, undefined, false]
  ]
  for (const [host, origin, admitted] of cases) {
    it(`${admitted ? "hears" : "refuses"} host ${host} with origin ${origin}`, () => {
      assert.strictEqual(admitsLocally({ host, origin }, ["http://studio.example"]), admitted)
    })
  }
})
