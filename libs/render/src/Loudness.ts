import type { Loudness } from "@reelay/contracts/Export"
import { Option, Schema } from "effect"
import { SAMPLE_RATE } from "./Timeline.ts"

/**
 * Loudness normalisation after EBU R 128, in two passes: the first measures all of a soundtrack, the second turns it up or
 * down as a whole. Where turning it up drives peaks too high, these are held down: music ends within 0.5 LU of what was
 * asked for, speech up to 3 LU below it, knocks with hardly anything between them further. (loudnorm's own second pass
 * follows the programme instead: of 8 seconds of speech it made 4.5 LU too little, of 2 seconds of music 34 LU, which is
 * next to nothing.)
 */

type Wanted = NonNullable<typeof Loudness.Type>

/** The highest true peak: what lossy coding adds to it must not clip. dBTP. */
const PEAK = -1.5
/** The rate at which peaks between samples are seen, too. */
const PEAK_RATE = 4 * SAMPLE_RATE
/** Quieter than this there is nothing to turn up. LUFS. */
const SILENCE = -70

/** The filter of the first pass. */
export const measuring = (loudness: Wanted): string => `loudnorm=I=${loudness}:TP=${PEAK}:print_format=json`

const Measured = Schema.fromJsonString(
  Schema.Struct({
    input_i: Schema.FiniteFromString,
    input_tp: Schema.FiniteFromString
  })
)
const decodeMeasured = Schema.decodeUnknownOption(Measured)

/** The filters of the second pass, by what the first one said; none for silence, which has no loudness. */
export const normalising = (loudness: Wanted, said: string): ReadonlyArray<string> => {
  const measured = Option.getOrNull(decodeMeasured(/\{[^{}]*"input_i"[^{}]*\}/.exec(said)?.[0] ?? ""))
  if (measured === null || measured.input_i < SILENCE) return []
  const gain = loudness - measured.input_i
  const turned = `volume=${gain.toFixed(2)}dB`
  if (gain <= 0 || measured.input_tp + gain <= PEAK) return [turned]
  return [
    turned,
    `aresample=${PEAK_RATE}`,
    // Its look ahead would make everything late.
    `alimiter=limit=${(10 ** (PEAK / 20)).toFixed(4)}:level=0:latency=1`,
    `aresample=${SAMPLE_RATE},aformat=channel_layouts=stereo`
  ]
}
