import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Auth } from "@reelay/platform/Auth"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import { metrics } from "@reelay/platform/Metrics"
import { Config, Layer } from "effect"
import { HttpMiddleware, HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { Audience } from "./Audience.ts"
import { OwnExports } from "./OwnExports.ts"
import { SocketSeats } from "./Seats.ts"
import { healthRoutes, socketRoute } from "./SocketHttp.ts"

/** Bytes: a subscription to a thousand exports by id fits several times. */
const MAX_CLIENT_MESSAGE = 256 * 1024

const server = NodeHttpServer.layerConfig(createServer, {
  host: Config.String("REELAY_NOTIFIER_HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.Port("REELAY_NOTIFIER_PORT"),
  websocket: Config.succeed({ maxPayload: MAX_CLIENT_MESSAGE, perMessageDeflate: false }),
  gracefulShutdownTimeout: Config.succeed("1 second" as const)
})

const services = Audience.layer.pipe(
  Layer.provideMerge(OwnExports.layer),
  Layer.provideMerge(LiveFarm.layer),
  Layer.provideMerge(Layer.mergeAll(Bus.layer, Database.layer, Auth.layer, SocketSeats.layer))
)

/**
 * The whole service. Requests are not logged: an open socket is nothing to tell, and addresses may carry tokens, which
 * is also why `/ws` is not traced.
 */
export const notifier = HttpRouter.serve(Layer.mergeAll(socketRoute, healthRoutes, metrics), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provideMerge(server),
  Layer.provide(services),
  Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen)((request) => request.url.startsWith("/ws")))
)
