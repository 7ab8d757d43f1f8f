import { Bus } from "@reelay/platform/Bus"
import * as ObjectStore from "@reelay/platform/ObjectStoreDirectory"
import * as Telemetry from "@reelay/platform/Telemetry"
import { Effect, Exit, Layer } from "effect"
import { Drain } from "./Drain.ts"
import * as Encoder from "./Encoder.ts"
import { EncoderConfig } from "./EncoderConfig.ts"

const main = Effect.gen(function* () {
  const { untilDone } = yield* Drain
  yield* untilDone
}).pipe(
  Effect.provide(Encoder.layer.pipe(Layer.provide([EncoderConfig.layer, Bus.layer, ObjectStore.layer]))),
  Effect.tapCause((cause) => Effect.logFatal("The encoder cannot go on", cause)),
  Effect.provide(Telemetry.layer("encoder"))
)

// Not NodeRuntime.runMain, which interrupts on SIGTERM: here a signal begins a drain, and work ends it.
Effect.runFork(main).addObserver((exit) => process.exit(Exit.isSuccess(exit) ? 0 : 1))
