import { Attempt, Export, ExportRequest } from "@reelay/contracts/Export"
import { Items, Page } from "@reelay/contracts/api/Page"
import type { ExportId, VideoId } from "@reelay/contracts/Ids"
import { Video } from "@reelay/contracts/Media"
import { Result, Schema } from "effect"
import { aborted, type Failure, garbled, refusal, RequestFailed, timedOut, unreachable } from "./Problem.ts"
import type { TokenSource } from "./Token.ts"

/** Milliseconds until a request without an answer is given up. */
export const READ_TIMEOUT = 10_000
export const WRITE_TIMEOUT = 20_000

const Download = Schema.Struct({ url: Schema.String, expiresAt: Schema.DateTimeUtcFromString })
const Named = Schema.Struct({ name: Schema.String })

const decoder = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (body: unknown): A => Result.getOrThrowWith(decode(body), () => new RequestFailed(garbled))
}
const exportOf = decoder(Export)
const exportsOf = decoder(Page(Export))
const someOf = decoder(Items(Export))
const attemptsOf = decoder(Items(Attempt))
const videosOf = decoder(Page(Video))
const downloadOf = decoder(Download)
const namedOf = decoder(Named)
export const videoOf = decoder(Video)
const encodeRequest = Schema.encodeSync(ExportRequest)

interface Call {
  readonly method?: "GET" | "POST" | "DELETE"
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly timeout?: number
  readonly signal?: AbortSignal | undefined
}

export interface ClientOptions {
  /** Origin and path before `/api`; empty: the page's own. */
  readonly base: string
  readonly tokens: TokenSource
  /** Told of the token (null: none) that a request was refused for in the end, so that one place asks the person to sign in. */
  readonly onUnauthorized: (token: string | null) => void
  readonly fetch?: typeof fetch
}

const failureBehind = (error: unknown, own: AbortSignal | undefined): Failure => {
  if (own?.aborted) return aborted
  if (error instanceof DOMException && error.name === "TimeoutError") return timedOut
  return unreachable
}

const jsonOf = async (response: Response): Promise<unknown> => {
  const text = await response.text()
  try {
    return text === "" ? null : JSON.parse(text)
  } catch {
    return null
  }
}

/** The calls that the page makes. Every one rejects with `RequestFailed` and with nothing else. */
export const makeClient = (options: ClientOptions) => {
  const attempt = (path: string, call: Call, token: string | null): Promise<Response> => {
    const limit = AbortSignal.timeout(call.timeout ?? (call.method === undefined ? READ_TIMEOUT : WRITE_TIMEOUT))
    return (options.fetch ?? fetch)(`${options.base}${path}`, {
      method: call.method ?? "GET",
      headers: {
        accept: "application/json",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        ...call.headers
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: call.signal === undefined ? limit : AbortSignal.any([limit, call.signal])
    })
  }

  const send = async (path: string, call: Call): Promise<Response> => {
    let token = await options.tokens.token()
    let response = await attempt(path, call, token)
    if (response.status === 401) {
      // It may have run out on its way: then whoever hands tokens out has another by now.
      const another = await options.tokens.token()
      if (another !== token) response = await attempt(path, call, (token = another))
    }
    if (response.ok) return response
    if (response.status === 401) options.onUnauthorized(token)
    throw new RequestFailed(refusal(response.status, await jsonOf(response)))
  }

  const ask = async <A>(path: string, read: (response: Response) => Promise<A>, call: Call = {}): Promise<A> => {
    try {
      return await read(await send(path, call))
    } catch (error) {
      throw error instanceof RequestFailed ? error : new RequestFailed(failureBehind(error, call.signal))
    }
  }
  const json =
    <A>(decode: (body: unknown) => A) =>
    async (response: Response) =>
      decode(await jsonOf(response))

  return {
    /** Newest first. `cursor` is the `nextCursor` of the page before. */
    exports: (query: { readonly limit: number; readonly cursor?: string }, signal?: AbortSignal) => {
      const params = new URLSearchParams({ sort: "-createdAt", limit: String(query.limit) })
      if (query.cursor !== undefined) params.set("cursor", query.cursor)
      return ask(`/api/exports?${params}`, json(exportsOf), { signal })
    },
    active: () => ask("/api/exports/active", json(someOf)),
    /** What ended within the last 24 hours. */
    recent: () => ask("/api/exports/recent?hours=24", json(someOf)),
    export: (id: ExportId) => ask(`/api/exports/${id}`, json(exportOf)),
    attempts: (id: ExportId) => ask(`/api/exports/${id}/attempts`, json(attemptsOf)),
    /** `key` makes a repeated attempt the same export: keep it until the request is answered. */
    create: (request: ExportRequest, key: string) =>
      ask("/api/exports", json(exportOf), {
        method: "POST",
        body: encodeRequest(request),
        headers: { "idempotency-key": key }
      }),
    cancel: (id: ExportId) => ask(`/api/exports/${id}/cancel`, json(exportOf), { method: "POST" }),
    retry: (id: ExportId) => ask(`/api/exports/${id}/retry`, json(exportOf), { method: "POST" }),
    /** An ended export is deleted (null); one that turned out active is cancelled and answered. */
    remove: (id: ExportId) =>
      ask(
        `/api/exports/${id}`,
        async (response) => (response.status === 204 ? null : exportOf(await jsonOf(response))),
        {
          method: "DELETE"
        }
      ),
    /** A signed address of the finished file that lives an hour. */
    download: (id: ExportId) => ask(`/api/exports/${id}/download`, json(downloadOf)),
    poster: (id: ExportId, signal: AbortSignal) =>
      ask(`/api/exports/${id}/poster`, (response) => response.blob(), {
        signal,
        headers: { accept: "image/jpeg, application/problem+json" }
      }),
    video: (id: VideoId) => ask(`/api/videos/${id}`, json(videoOf)),
    removeVideo: (id: VideoId) => ask(`/api/videos/${id}`, async () => {}, { method: "DELETE" }),
    videos: (limit: number) => ask(`/api/videos?limit=${limit}`, json(videosOf)),
    projectName: (id: string) => ask(`/api/projects/${id}`, json(namedOf))
  }
}
export type Client = ReturnType<typeof makeClient>
