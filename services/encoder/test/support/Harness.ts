import { confined } from "@reelay/encoder/Encoder"
import { EncoderConfig, type EncoderSettings, settingsConfig } from "@reelay/encoder/EncoderConfig"
import { Ffmpeg } from "@reelay/encoder/Ffmpeg"
import { RUN } from "@reelay/render/Safety"
import { ConfigProvider, Effect, Layer } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder for the length of a scope. */
export const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-encoder-test-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** A small encode of a test picture with a clock in it. */
export const encodeArgv = (
  to: string,
  options: { readonly frames: number; readonly realTime?: boolean }
): ReadonlyArray<string> => {
  const words =
    `${options.realTime === true ? "-re " : ""}-f lavfi -i testsrc2=size=256x256:rate=25`
    + ` -frames:v ${options.frames} -c:v libx264 -preset ultrafast -threads 1`
  return [...RUN, ...words.split(" "), to]
}

/** The encoder's settings with an empty environment, and these in place of the defaults. */
export const settingsWith = (some: Partial<EncoderSettings>): Layer.Layer<EncoderConfig> =>
  Layer.effect(
    EncoderConfig,
    settingsConfig.parse(ConfigProvider.fromEnv({ env: {} })).pipe(
      Effect.map((defaults) => ({ ...defaults, ...some })),
      Effect.orDie
    )
  )

export const ffmpegWith = (some: Partial<EncoderSettings>) =>
  Layer.fresh(Ffmpeg.layer).pipe(
    Layer.provideMerge(Layer.fresh(confined)),
    Layer.provideMerge(settingsWith({ sandbox: "auto", ...some }))
  )
