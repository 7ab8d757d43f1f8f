import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, Effect, Layer, Option } from "effect"
import { HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { Auth } from "./Auth.ts"
import { metricsRoute } from "./Telemetry.ts"

/** Without a router: within a service's routes it would be the service's own, which faces the world. */
const scrape = Effect.gen(function* () {
  const { method, url } = yield* HttpServerRequest.HttpServerRequest
  return method === "GET" && url === "/metrics"
    ? HttpServerResponse.text(yield* PrometheusMetrics.format(), {
        contentType: "text/plain; version=0.0.4; charset=utf-8"
      })
    : HttpServerResponse.empty({ status: 404 })
})

/**
 * Where a service that faces clients shows its metrics. In local mode `/metrics` is beside everything else: only this machine
 * gets there. With tokens the service's own port faces the world, and a scraper has no token that lasts: then metrics are on
 * a port of their own, `REELAY_METRICS_PORT` (on `REELAY_METRICS_HOST`, all addresses), which no ingress leads to, or nowhere.
 */
export const metrics = Layer.unwrap(
  Effect.gen(function* () {
    const { mode } = yield* Auth
    if (mode === "local") return metricsRoute
    const port = yield* Config.option(Config.Port("REELAY_METRICS_PORT"))
    const host = yield* Config.NonEmptyString("REELAY_METRICS_HOST").pipe(Config.withDefault("0.0.0.0"))
    if (Option.isNone(port)) return Layer.empty
    return HttpServer.serve(scrape).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port: port.value, host })))
  })
)
