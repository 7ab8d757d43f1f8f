import type { FrameIndex, MediaInfo } from "@reelay/contracts/Media"
import { ConfigProvider, Effect, Layer, References, Result } from "effect"
import { Ingest } from "../../../services/api/src/ingest/Ingest.ts"
import { MediaTools } from "../../../services/api/src/ingest/MediaTools.ts"

/** A source as the API takes it in: what is rendered here is planned by the facts and the frame index that people get. */
export interface Ingested {
  readonly path: string
  readonly media: MediaInfo
  readonly index: FrameIndex
}

// What is made here needs no sandbox.
const config = ConfigProvider.layer(
  ConfigProvider.fromUnknown({ REELAY_SANDBOX: "off", PATH: process.env["PATH"] ?? "" })
)
const layer = Ingest.layer.pipe(
  Layer.provide(MediaTools.layer),
  Layer.provide(config),
  Layer.merge(Layer.succeed(References.MinimumLogLevel, "None"))
)
const examine = (path: string) =>
  Effect.runPromise(Ingest.use((tool) => tool.examine(path)).pipe(Effect.provide(layer), Effect.result))

export const ingest = async (path: string): Promise<Ingested> => {
  const examined = await examine(path)
  if (Result.isSuccess(examined)) return { path, ...examined.success }
  throw new Error(`refused: ${String(examined.failure)}`, { cause: examined.failure })
}
