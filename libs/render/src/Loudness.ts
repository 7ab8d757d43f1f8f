import type { Loudness } from "@reelay/contracts/Export"
import { SAMPLE_RATE } from "./Timeline.ts"

/**
 * Loudness normalisation after EBU R 128. A first pass measures all of a soundtrack, which is then turned up or down as a
 * whole. Where turning it up drives peaks too high, these are held down, and what is held down is quieter again: speech by
 * up to 3 LU. So a second pass tries several gains at once, and what comes out nearest is taken. It is no sum to be worked
 * out beforehand: held-down speech lets the pauses in between count (R 128 leaves out what lies 10 LU below the rest), so
 * that more gain can even mean less loudness. (loudnorm's own second pass follows the programme instead: of 8 seconds of
 * speech it made 4.5 LU too little, of 2 seconds of music 34 LU, which is next to nothing; and its first pass alone takes
 * twice as long as both of these.)
 */

type Wanted = NonNullable<typeof Loudness.Type>

/** The highest true peak: what lossy coding adds to it must not clip. dBTP. */
const PEAK = -1.5
/** The rate at which peaks between samples are seen, too. */
const PEAK_RATE = 4 * SAMPLE_RATE
/** Quieter than this there is nothing to turn up: R 128 counts nothing below. LUFS. */
const SILENCE = -70
/** How far beyond the gain that the first pass asks for peaks may be driven into the limiter. dB. */
const DRIVES = [0, 1.5, 3, 4.5, 6]
/** As near as nobody hears. LU. */
const NEAR = 0.3

/** A soundtrack turned up or down. */
interface Try {
  /** dB. */
  readonly gain: number
  /** Whether peaks have to be held down. */
  readonly held: boolean
}
/** A try, and the loudness that came of it, LUFS. */
interface Tried extends Try {
  readonly loudness: number
}

/** The filter of the first pass. */
export const MEASURING = "ebur128=peak=true:framelog=verbose"

const SUMMARY = /Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS/g
const TRUE_PEAK = /True peak:\s+Peak:\s+(-?[\d.]+) dBFS/g
/** The last that is said: ffmpeg sets a graph up twice, and each meter that goes says what it heard, which may be nothing. */
const lastOf = (pattern: RegExp, said: string): number | null => {
  const found = [...said.matchAll(pattern)].at(-1)?.[1]
  return found === undefined ? null : Number(found)
}

/** What the second pass tries, by what the first one said; nothing for silence, which has no loudness. */
export const triesOf = (wanted: Wanted, said: string): ReadonlyArray<Try> => {
  const loudness = lastOf(SUMMARY, said) ?? SILENCE
  if (loudness <= SILENCE) return []
  const gain = wanted - loudness
  const peak = lastOf(TRUE_PEAK, said) ?? 0
  if (gain <= 0 || peak + gain <= PEAK) return [{ gain, held: false }]
  return DRIVES.map((drive) => ({ gain: gain + drive, held: true }))
}

// Its look ahead would make everything late.
const LIMITER = `alimiter=limit=${(10 ** (PEAK / 20)).toFixed(4)}:level=0:latency=1`
const turned = ({ gain }: Try) => `volume=${gain.toFixed(2)}dB`
/** Under which the meter speaks: hundredths of a decibel. */
const nameOf = ({ gain, held }: Try) => `ebur128@${held ? "held" : "free"}_${Math.round(gain * 100)}`

/**
 * Chains of the second pass: how loud each try comes out; one that does nothing where nothing is tried. Peaks between samples
 * are not looked for here: that takes five times as long and changes the loudness by 0.2 LU at the most.
 */
export const trying = (tries: ReadonlyArray<Try>): readonly [string, ...ReadonlyArray<string>] => {
  const [first = "anull", ...others] = tries.map((one) =>
    [turned(one), ...(one.held ? [LIMITER] : []), `${nameOf(one)}=framelog=verbose`].join(",")
  )
  return [first, ...others]
}

const TRIED = /\[ebur128@(held|free)_(-?\d+) @ [^\]]*\] Summary:\s+Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS/g

/** What the second pass found, the least gain first. Of each meter, too, the last word counts. */
const triedIn = (said: string): ReadonlyArray<Tried> => {
  const tried = new Map<number, Tried>()
  for (const [, how, hundredths, loudness] of said.matchAll(TRIED)) {
    const gain = Number(hundredths) / 100
    tried.set(gain, { held: how === "held", gain, loudness: Number(loudness) })
  }
  return [...tried.values()].toSorted((a, b) => a.gain - b.gain)
}

/** The least gain that comes near enough, be it between two that were tried; else what came nearest. */
const chosen = (wanted: Wanted, tried: ReadonlyArray<Tried>): Try | null => {
  for (const [i, one] of tried.entries()) {
    if (Math.abs(one.loudness - wanted) <= NEAR) return one
    const next = tried[i + 1]
    if (next !== undefined && one.loudness < wanted && next.loudness > wanted) {
      const part = (wanted - one.loudness) / (next.loudness - one.loudness)
      return { held: one.held, gain: one.gain + part * (next.gain - one.gain) }
    }
  }
  const off = ({ loudness }: Tried) => Math.abs(loudness - wanted)
  return tried.toSorted((a, b) => off(a) - off(b))[0] ?? null
}

/** The filters of the last pass, by what the second one said. */
export const normalising = (wanted: Wanted, said: string): ReadonlyArray<string> => {
  const one = chosen(wanted, triedIn(said))
  if (one === null) return []
  if (!one.held) return [turned(one)]
  const back = `aresample=${SAMPLE_RATE},aformat=channel_layouts=stereo`
  return [turned(one), `aresample=${PEAK_RATE}`, LIMITER, back]
}
