import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Telemetry from "@reelay/platform/Telemetry"
import { Cause, Exit, Layer } from "effect"
import { api } from "./Api.ts"

api.pipe(Layer.provide(Telemetry.layer("api")), Layer.launch, (running) =>
  NodeRuntime.runMain(running, {
    // Being asked to stop, and stopping, is success.
    teardown: (exit, done) => done(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)
