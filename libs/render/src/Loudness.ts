import type { Loudness } from "@reelay/contracts/Export"
import { Option, Schema } from "effect"
import { SAMPLE_RATE } from "./Timeline.ts"

/**
 * Loudness normalisation after EBU R 128, in two passes: the first measures all of a soundtrack, the second turns it up or
 * down as a whole. Only where turning it up would drive its peaks too high, loudnorm follows the programme instead.
 */

type Wanted = NonNullable<typeof Loudness.Type>

/** The highest true peak: what lossy coding adds to it must not clip. dBTP. */
const PEAK = -1.5
/** Loudness range that loudnorm aims at. LU. */
const RANGE = 11
/** Quieter than this there is nothing to turn up. LUFS. */
const SILENCE = -70

/** The filter of the first pass. */
export const measuring = (loudness: Wanted): string =>
  `loudnorm=I=${loudness}:TP=${PEAK}:LRA=${RANGE}:print_format=json`

const Measured = Schema.fromJsonString(
  Schema.Struct({
    input_i: Schema.FiniteFromString,
    input_tp: Schema.FiniteFromString,
    input_lra: Schema.FiniteFromString,
    input_thresh: Schema.FiniteFromString,
    target_offset: Schema.FiniteFromString
  })
)
const decodeMeasured = Schema.decodeUnknownOption(Measured)

/** The filters of the second pass, by what the first one said; none for silence, which has no loudness. */
export const normalising = (loudness: Wanted, said: string): ReadonlyArray<string> => {
  const measured = Option.getOrNull(decodeMeasured(/\{[^{}]*"input_i"[^{}]*\}/.exec(said)?.[0] ?? ""))
  if (measured === null || measured.input_i < SILENCE) return []
  const gain = loudness - measured.input_i
  if (gain <= 0 || measured.input_tp + gain <= PEAK) return [`volume=${gain.toFixed(2)}dB`]
  return [
    `loudnorm=I=${loudness}:TP=${PEAK}:LRA=${RANGE}:measured_I=${measured.input_i}:measured_TP=${measured.input_tp}`
      + `:measured_LRA=${measured.input_lra}:measured_thresh=${measured.input_thresh}:offset=${measured.target_offset}`,
    // It raises the rate to find peaks between samples. What channels come out of both, ffmpeg 5 does not know by itself.
    `aresample=${SAMPLE_RATE},aformat=channel_layouts=stereo`
  ]
}
