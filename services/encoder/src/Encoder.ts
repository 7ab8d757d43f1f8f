import { Layer } from "effect"
import * as Advertising from "./Advertising.ts"
import { Capabilities } from "./Capabilities.ts"
import { Claim } from "./Claim.ts"
import * as Control from "./Control.ts"
import { Drain } from "./Drain.ts"
import { Ffmpeg } from "./Ffmpeg.ts"
import { Manifests } from "./Manifests.ts"
import { Plans } from "./Plans.ts"
import { Processes } from "./Processes.ts"
import { Sandbox } from "./Sandbox.ts"
import { Worker } from "./Worker.ts"

/** One whole encoder, on a bus, a store and its settings. */
export const layer = Layer.mergeAll(Advertising.layer, Control.layer, Drain.layer).pipe(
  Layer.provideMerge(Claim.layer),
  Layer.provide(Worker.layer),
  Layer.provideMerge(Capabilities.layer),
  Layer.provide(Layer.mergeAll(Plans.layer, Manifests.layer)),
  Layer.provide(Ffmpeg.layer),
  Layer.provide(Sandbox.layer),
  Layer.provide(Processes.layer)
)
