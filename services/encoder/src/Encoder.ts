import { Processes } from "@reelay/platform/Processes"
import { Sandbox } from "@reelay/platform/Sandbox"
import { Effect, Layer } from "effect"
import * as Advertising from "./Advertising.ts"
import { Capabilities } from "./Capabilities.ts"
import { Claim } from "./Claim.ts"
import * as Control from "./Control.ts"
import { Drain } from "./Drain.ts"
import { EncoderConfig } from "./EncoderConfig.ts"
import { Ffmpeg } from "./Ffmpeg.ts"
import { Manifests } from "./Manifests.ts"
import { Plans } from "./Plans.ts"
import { Worker } from "./Worker.ts"

/** How ffmpeg is run, as the settings say. */
export const confined = Layer.unwrap(
  Effect.map(EncoderConfig, ({ ffmpeg, ffprobe, sandbox }) =>
    Sandbox.layer(sandbox, [ffmpeg, ffprobe]).pipe(Layer.provideMerge(Processes.layer))
  )
)

/** One whole encoder, on a bus, a store and its settings. */
export const layer = Layer.mergeAll(Advertising.layer, Control.layer, Drain.layer).pipe(
  Layer.provideMerge(Claim.layer),
  Layer.provide(Worker.layer),
  Layer.provideMerge(Capabilities.layer),
  Layer.provide(Layer.mergeAll(Plans.layer, Manifests.layer)),
  Layer.provide(Ffmpeg.layer),
  Layer.provide(confined)
)
