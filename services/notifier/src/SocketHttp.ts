import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Forbidden, NotFound, Unauthorized, Unavailable } from "@reelay/contracts/Problem"
import { Auth } from "@reelay/platform/Auth"
import type { Caller } from "@reelay/platform/Auth"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { Effect, Option, Redacted } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerRespondable, HttpServerResponse, ProblemDetails } from "effect/http"
import type { Audience } from "./Audience.ts"
import { serveConnection } from "./Connection.ts"
import type { SocketSeats } from "./Seats.ts"

const UPGRADE_REQUIRED = ProblemDetails.toResponse({
  type: "about:blank",
  status: 426,
  title: "This address speaks WebSocket",
  detail: "Ask with `Connection: Upgrade` and `Upgrade: websocket`.",
  code: "upgrade_required"
})

const tokenOf = (request: HttpServerRequest.HttpServerRequest): Redacted.Redacted | null => {
  const token = new URL(request.url, "http://localhost").searchParams.get("token")
  return token === null || token === "" ? null : Redacted.make(token)
}

/**
 * `GET /ws`. A token in the address that is wrong is refused before the handshake. Without one the client is whoever
 * needs none (local mode), or says who it is in its first message.
 */
export const socketRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const context = yield* Effect.context<Auth | Audience | SocketSeats>()
    const auth = yield* Auth

    const callerOf = Effect.fnUntraced(
      function* (token: Redacted.Redacted | null) {
        const caller: Caller | null = yield* auth.authenticate(token).pipe(
          Effect.catchIf(
            (error) => error.reason === "missing",
            () => Effect.succeed(null)
          )
        )
        return caller
      },
      Effect.mapError((error) =>
        error.reason === "unavailable"
          ? new Unavailable({ detail: error.detail, missing: ["identity provider"] })
          : new Unauthorized({ detail: error.detail })
      )
    )

    const connect = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { host, origin, upgrade } = request.headers
      if (!auth.admits({ host, origin })) {
        return yield* new Forbidden({
          detail: "Reelay listens to this machine only, under its own name, and to pages of its own."
        })
      }
      if (upgrade?.toLowerCase() !== "websocket") return UPGRADE_REQUIRED
      const caller = yield* callerOf(tokenOf(request))
      const socket = yield* request.upgrade
      const wire = NodeHttpServerRequest.toIncomingMessage(request).socket
      // A peer that vanished without a word is found out by the network.
      wire.setKeepAlive(true, 30_000)
      wire.setNoDelay(true)
      yield* serveConnection({ socket, wire, caller }).pipe(Effect.provideContext(context))
      return HttpServerResponse.empty()
    })

    yield* router.add(
      "GET",
      "/ws",
      connect.pipe(
        // A handshake that fails has nobody to answer to.
        Effect.catchTag(["SocketError", "HttpServerError"], () =>
          Effect.succeed(HttpServerResponse.empty({ status: 400 }))
        ),
        Effect.catch(HttpServerRespondable.toResponse)
      )
    )
  })
)

/** `/health/live`, `/health/ready`, and a problem for every other address. */
export const healthRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const database = yield* Database
    const bus = yield* Bus
    const missing = Effect.gen(function* () {
      const answers = yield* database.ping.pipe(Effect.timeout("2 seconds"), Effect.option)
      return [...(Option.isSome(answers) ? [] : ["database"]), ...((yield* bus.connected) ? [] : ["queue"])]
    })
    yield* router.add("GET", "/health/live", Effect.succeed(HttpServerResponse.jsonUnsafe({ status: "live" })))
    yield* router.add(
      "GET",
      "/health/ready",
      Effect.flatMap(missing, (missing) =>
        missing.length === 0
          ? Effect.succeed(HttpServerResponse.jsonUnsafe({ status: "ready" }))
          : HttpServerRespondable.toResponse(
              new Unavailable({ detail: `Not there (yet): ${missing.join(", ")}.`, missing })
            )
      )
    )
    yield* router.add(
      "*",
      "/*",
      HttpServerRespondable.toResponse(new NotFound({ detail: "There is nothing at this address." }))
    )
  })
)
