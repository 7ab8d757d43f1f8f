import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Api } from "@reelay/contracts/api/Api"
import { Auth, AuthError } from "@reelay/platform/Auth"
import { metrics } from "@reelay/platform/Metrics"
import { isLoopback } from "@reelay/platform/Origin"
import { Config, Effect, Layer, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { createServer } from "node:http"
import { docs } from "./Docs.ts"
import { ExportsHttp } from "./ExportsHttp.ts"
import { FarmHttp } from "./FarmHttp.ts"
import { guards } from "./Guards.ts"
import { ImagesHttp } from "./ImagesHttp.ts"
import { pipeline } from "./Pipeline.ts"
import { ProjectsHttp } from "./ProjectsHttp.ts"
import { isSocket, proxySockets } from "./SocketProxy.ts"
import { VideosHttp } from "./VideosHttp.ts"
import { webApp } from "./WebApp.ts"

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([VideosHttp, ImagesHttp, ProjectsHttp, ExportsHttp, FarmHttp]),
  Layer.provide(guards)
)

const routes = Layer.mergeAll(api, docs, metrics, webApp, pipeline)

/** 0: whichever is free. */
const Port = Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 65_535 }))

const listen = Config.unwrap<NodeHttpServer.Options>({
  host: Config.NonEmptyString("REELAY_HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.schema(Port, "REELAY_PORT").pipe(Config.withDefault(8080)),
  // Downloads that take longer are begun again where they broke off, at whichever api is there by then.
  gracefulShutdownTimeout: Config.succeed("5 seconds")
})

/** Everything over HTTP, on `REELAY_HOST`:`REELAY_PORT`. Provides the HttpServer, for its address. */
export const server = Layer.unwrap(
  Effect.gen(function* () {
    const options = yield* listen
    const auth = yield* Auth
    if (auth.mode === "local" && !isLoopback(options.host ?? "")) {
      return yield* new AuthError({
        reason: "unavailable",
        detail: "REELAY_AUTH=local trusts whoever reaches it, so REELAY_HOST must be a loopback address."
      })
    }
    // Uploads take as long as they take; headers must come soon. Connections are kept for longer than the minute after which
    // proxies and clients let go of idle ones: whoever closes first, the other's next request may be on its way.
    const limits = { requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 75_000 }
    const node = createServer({ ...limits, shouldUpgradeCallback: isSocket })
    const http = HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => node, options))
    )
    // After the library's own listener, which it replaces.
    return Layer.effectDiscard(proxySockets(node)).pipe(Layer.provideMerge(http))
  })
)
