import { Export } from "@reelay/contracts/Export"
import type { UserId } from "@reelay/contracts/Ids"
import { Video } from "@reelay/contracts/Media"
import { Project } from "@reelay/contracts/Project"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { openInfra } from "@reelay/platform/testing/Infra"
import { ConfigProvider, Context, Effect, Exit, Layer, References, Schedule, Schema, Scope } from "effect"
import { HttpServer } from "effect/http"
import { SignJWT } from "jose"
import { createReadStream } from "node:fs"
import { Readable } from "node:stream"
import { basename } from "node:path"
import { api } from "../src/Api.ts"

/** A whole api in this process, on real servers, spoken to over real HTTP. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  /** Instead of the infrastructure's, for tests that take it away. */
  readonly databaseUrl?: string
}

const SECRET = "the secret of these tests, which is long enough"

/** Environment of `REELAY_AUTH=jwt`, where every request brings a token of `tokenOf`. */
export const JWT = { REELAY_AUTH: "jwt", REELAY_JWT_SECRET: SECRET }
export const tokenOf = (user: string, claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(SECRET))

const configured = (env: Readonly<Record<string, string>>) =>
  Layer.merge(
    ConfigProvider.layer(ConfigProvider.fromUnknown(env)),
    Layer.succeed(References.MinimumLogLevel, process.env["REELAY_TEST_LOG"] === undefined ? "None" : "Debug")
  )

export type ApiUnderTest = Awaited<ReturnType<typeof startApi>>

export const startApi = async (options: Options = {}) => {
  const infra = await openInfra()
  const scope = Scope.makeUnsafe()
  const build = <A, E>(layer: Layer.Layer<A, E>) => Effect.runPromise(Layer.build(layer).pipe(Scope.provide(scope)))
  const given: Readonly<Record<string, string>> =
    options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }
  const env: Readonly<Record<string, string>> = {
    ...infra.environment("api"),
    PATH: process.env["PATH"] ?? "",
    REELAY_PORT: "0",
    ...given,
    ...options.env
  }

  // What the scheduler would have done and could do.
  const back = await build(
    Layer.merge(Bus.layer, Database.layer).pipe(
      Layer.provide(configured({ ...infra.environment("scheduler"), ...given }))
    )
  )
  const bus = Context.get(back, Bus)
  const database = Context.get(back, Database)
  const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)
  await run(Effect.retry(bus.ensureTopology, Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 400 }))))

  const front = await build(api.pipe(Layer.provide(configured(env))))
  const { address } = Context.get(front, HttpServer.HttpServer)
  if (!("port" in address)) throw new Error("not on a port")
  const url = `http://127.0.0.1:${address.port}`

  const answerOf = async (response: Response): Promise<Answer> => {
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    answerOf(
      await fetch(url + path, {
        method,
        redirect: "manual",
        headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
    )
  const uploadRaw = async (path: string, name = basename(path), headers: Record<string, string> = {}) =>
    answerOf(
      await fetch(`${url}/api/videos?name=${encodeURIComponent(name)}`, {
        method: "POST",
        headers: { "content-type": "application/octet-stream", ...headers },
        body: Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
        duplex: "half"
      })
    )
  const expecting = async <A>(
    status: number,
    schema: Schema.Codec<A, unknown>,
    answer: Promise<Answer>
  ): Promise<A> => {
    const { body, status: got } = await answer
    if (got !== status) throw new Error(`answered ${got}: ${JSON.stringify(body)}`)
    return Schema.decodeUnknownSync(schema)(body)
  }

  return {
    url,
    env,
    infra,
    bus,
    database,
    run,
    call,
    uploadRaw,
    upload: (path: string, headers: Record<string, string> = {}): Promise<Video> =>
      expecting(201, Video, uploadRaw(path, basename(path), headers)),
    /** An accepted export. */
    start: (request: unknown, headers: Record<string, string> = {}): Promise<Export> =>
      expecting(202, Export, call("POST", "/api/exports", request, headers)),
    project: (request: unknown, headers: Record<string, string> = {}): Promise<Project> =>
      expecting(201, Project, call("POST", "/api/projects", request, headers)),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await infra.close()
    }
  }
}

export const bearer = async (user: string | UserId, claims: Record<string, unknown> = {}) => ({
  authorization: `Bearer ${await tokenOf(user, claims)}`
})
