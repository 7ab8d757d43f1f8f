import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import * as ObjectStore from "@reelay/platform/ObjectStoreDirectory"
import * as Telemetry from "@reelay/platform/Telemetry"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { Ledger } from "./Ledger.ts"
import { scheduler } from "./Scheduler.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"

/** /health and /metrics, where a port is given. */
const observed = Layer.unwrap(
  Effect.gen(function* () {
    const { port } = yield* SchedulerConfig
    if (port === null) return Layer.empty
    const live = HttpRouter.add("GET", "/health/live", HttpServerResponse.jsonUnsafe({ status: "live" }))
    const ready = HttpRouter.add(
      "GET",
      "/health/ready",
      Effect.gen(function* () {
        const database = yield* Database
        const bus = yield* Bus
        const postgres = yield* database.ping.pipe(Effect.isSuccess)
        const nats = yield* bus.connected
        return HttpServerResponse.jsonUnsafe({ postgres, nats }, { status: postgres && nats ? 200 : 503 })
      })
    )
    return HttpRouter.serve(Layer.mergeAll(live, ready, Telemetry.metricsRoute)).pipe(
      Layer.provide(NodeHttpServer.layer(createServer, { port, host: "0.0.0.0" }))
    )
  })
)

Layer.mergeAll(scheduler, observed).pipe(
  Layer.provide(Ledger.layer),
  Layer.provide([Database.layer, Bus.layer, ObjectStore.layer, SchedulerConfig.layer]),
  Layer.provide(Telemetry.layer("scheduler")),
  Layer.launch,
  NodeRuntime.runMain
)
