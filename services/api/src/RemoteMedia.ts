import * as NodeStream from "@effect/platform-node/NodeStream"
import { Forbidden, TooLarge, Unavailable, Validation } from "@reelay/contracts/Problem"
import { Clock, Config, Context, Duration, Effect, Layer, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { lookup } from "node:dns"
import type { LookupAddress } from "node:dns"
import * as http from "node:http"
import * as https from "node:https"
import type { LookupFunction } from "node:net"
import { isListed, isPublic, mediaHost } from "./MediaHosts.ts"
import type { MediaHost } from "./MediaHosts.ts"

export class MediaHostsError extends Schema.TaggedError<MediaHostsError>()("MediaHostsError", {
  message: Schema.String
}) {}

export type RemoteError = Forbidden | TooLarge | Unavailable | Validation

const MAX_REDIRECTS = 5

const Seconds = Schema.FiniteFromString.check(Schema.isGreaterThan(0))

/**
 * Footage on hosts that `REELAY_MEDIA_HOSTS` lists, fetched by us and never by ffmpeg, which would follow whatever a file or a
 * server tells it. Every hop is checked: its host by the list, the addresses of a name when it is connected to (not before, when
 * DNS may have said something else).
 */
export class RemoteMedia extends Context.Service<
  RemoteMedia,
  {
    /** Whether a URL may be fetched at all, before anything is. */
    admit(text: string): Effect.Effect<URL, Forbidden | Validation>
    /** The bytes, at most that many. The connection ends with the stream. */
    read(url: URL, maxBytes: number): Stream.Stream<Uint8Array, RemoteError>
  }
>()("@reelay/api/RemoteMedia") {
  static readonly layer = Layer.effect(
    RemoteMedia,
    Effect.gen(function* () {
      const hosts = yield* listed
      const idleSeconds = yield* Config.schema(Seconds, "REELAY_UPLOAD_IDLE_SECONDS").pipe(Config.withDefault(60))
      const allSeconds = yield* Config.schema(Seconds, "REELAY_MEDIA_FETCH_SECONDS").pipe(Config.withDefault(3600))

      const check = (url: URL): Effect.Effect<URL, Forbidden | Validation> => {
        if (url.protocol !== "https:" && url.protocol !== "http:") return invalid("must begin with https: or http:")
        if (url.username !== "" || url.password !== "") return invalid("must not hold a user name or a password")
        return isListed(url, hosts) ? Effect.succeed(url) : Effect.fail(new Forbidden({ detail: NOT_SHARED }))
      }

      const follow = Effect.fnUntraced(function* (first: URL) {
        let url = first
        for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
          const answer = yield* request(url)
          const status = answer.statusCode ?? 0
          const { location } = answer.headers
          if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return { answer, status }
          // Its body, however long, interests nobody.
          answer.destroy()
          const next = URL.parse(location, url.href)
          if (next === null) return yield* invalid("leads to an address that is none")
          url = yield* check(next)
        }
        return yield* invalid("leads from one address to the next, too often")
      })

      const open = Effect.fnUntraced(function* (url: URL, maxBytes: number) {
        const { answer, status } = yield* follow(url).pipe(
          Effect.timeoutOrElse({
            duration: Duration.seconds(idleSeconds),
            orElse: () => unreachable("The host of this footage does not answer.")
          })
        )
        if (status !== 200) return yield* invalid(`was answered with ${status}`)
        if ((answer.headers["content-encoding"] ?? "identity") !== "identity") {
          return yield* invalid("was answered with an encoding that was not asked for")
        }
        if (Number(answer.headers["content-length"] ?? 0) > maxBytes) {
          return yield* new TooLarge({ detail: `A file may have ${maxBytes} bytes at most.` })
        }
        const end = (yield* Clock.monotonicTimeNanos) + BigInt(Math.ceil(allSeconds * 1e9))
        return NodeStream.fromReadable<Uint8Array, Unavailable>({
          evaluate: () => answer,
          onError: () => new Unavailable({ detail: "The host of this footage broke off.", missing: ["media host"] })
        }).pipe(
          Stream.timeoutOrElse({
            duration: Duration.seconds(idleSeconds),
            orElse: () => Stream.fromEffect(unreachable(`Nothing came for ${idleSeconds} seconds.`))
          }),
          // A trickle is never idle.
          Stream.tap(() =>
            Effect.flatMap(Clock.monotonicTimeNanos, (now) =>
              now < end ? Effect.void : unreachable(`It was not all there after ${allSeconds} seconds.`)
            )
          )
        )
      })

      return RemoteMedia.of({
        admit: Effect.fn("RemoteMedia.admit")(function* (text) {
          if (hosts.length === 0)
            return yield* new Forbidden({ detail: "No host of footage is shared with Reelay (REELAY_MEDIA_HOSTS)." })
          const url = URL.parse(text)
          return url === null ? yield* invalid("is no URL") : yield* check(url)
        }),
        read: (url, maxBytes) => Stream.unwrap(open(url, maxBytes))
      })
    })
  )
}

const NOT_SHARED = "This host is not one whose footage is shared with Reelay."

const listed = Effect.gen(function* () {
  const entries = yield* Config.Array(Schema.String, "REELAY_MEDIA_HOSTS").pipe(Config.withDefault([]))
  const hosts: Array<MediaHost> = []
  for (const entry of entries.map((text) => text.trim())) {
    if (entry === "") continue
    const host = mediaHost(entry)
    if (host === null) return yield* new MediaHostsError({ message: `REELAY_MEDIA_HOSTS: ${entry} is not a host` })
    hosts.push(host)
  }
  return hosts
})

const invalid = (message: string) =>
  Effect.fail(new Validation({ detail: `url ${message}.`, errors: [{ field: "url", message }] }))

const unreachable = (detail: string) => Effect.fail(new Unavailable({ detail, missing: ["media host"] }))

class PrivateAddress extends Error {}

/** Looks a name up for the connection that is being made, so that what is checked is what is called. */
const publicOnly: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: ReadonlyArray<LookupAddress>) => {
    const [first] = addresses ?? []
    if (error !== null || first === undefined) return done(error ?? new Error("no address"), "")
    if (!addresses.every(({ address }) => isPublic(address))) return done(new PrivateAddress(), "")
    if (options.all === true) return done(null, [...addresses])
    done(null, first.address, first.family)
  })
}

/** Asks, and answers when the headers are there. Ends the connection with the scope. */
const request = (url: URL): Effect.Effect<http.IncomingMessage, Forbidden | Unavailable, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<http.IncomingMessage, Forbidden | Unavailable>((resume) => {
      const { get } = url.protocol === "https:" ? https : http
      const asked = get(url, {
        // An address in the URL is not looked up; it is listed as itself, or it would not have come here.
        lookup: publicOnly,
        agent: false,
        headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "reelay" }
      })
      asked.once("response", (answer) => resume(Effect.succeed(answer)))
      asked.on("error", (error) =>
        resume(
          error instanceof PrivateAddress
            ? Effect.fail(
                new Forbidden({ detail: "This host leads into a private network: it must be listed by its address." })
              )
            : unreachable("The host of this footage cannot be reached.")
        )
      )
      return Effect.sync(() => asked.destroy())
    }),
    (answer) => Effect.sync(() => answer.destroy()),
    { interruptible: true }
  )
