import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Telemetry from "@reelay/platform/Telemetry"
import { Layer } from "effect"
import { notifier } from "./Notifier.ts"

notifier.pipe(Layer.provide(Telemetry.layer("notifier")), Layer.launch, NodeRuntime.runMain)
