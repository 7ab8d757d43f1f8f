import type { SpeedSegment } from "@reelay/contracts/Edits"
import { Micros, microsOf, type Rational } from "@reelay/contracts/Quantity"
import { roundDivide } from "./Timeline.ts"

/** A stretch of a clip that runs at one speed. Everything about it is reckoned as if it were a clip of its own. */
export interface Section {
  /** Source time from media zero. */
  readonly start: Micros
  readonly end: Micros
  /** Times as fast as recorded, in ten-thousandths: one number for picture and sound. */
  readonly speed: Rational
  /** Output frames of the clip before this section. */
  readonly first: number
  /** Output frames of its own, never 0. */
  readonly frames: number
}

const SPEED_STEPS = 10_000
export const USUAL_SPEED: Rational = { num: SPEED_STEPS, den: SPEED_STEPS }

/** What of a clip decides how many frames it has. */
export interface Timed {
  readonly start: Micros
  readonly end: Micros
  readonly speed: ReadonlyArray<SpeedSegment>
}

/**
 * A clip's sections in order. A section begins at the output frame next to where all that went before it ends, rounded
 * from the exact sum, so that roundings never add up: round(R · Σ duration / speed). One that is too short for a frame
 * of its own is left out. Segments are in source time, in any order; what lies outside the clip does not count.
 */
export const sectionsOf = ({ start, end, speed }: Timed, rate: Rational): ReadonlyArray<Section> => {
  const sections: Array<Section> = []
  // Exact seconds of output so far, as a fraction.
  let [sum, over] = [0n, 1n]
  let first = 0
  const add = (from: Micros, to: Micros, at: Rational) => {
    if (to <= from) return
    // (to − from) / 10⁶ · den / num
    const [num, den] = [BigInt(to - from) * BigInt(at.den), 1_000_000n * BigInt(at.num)]
    ;[sum, over] = [sum * den + num * over, over * den]
    const shared = gcd(sum, over)
    ;[sum, over] = [sum / shared, over / shared]
    const next = Number(roundDivide(sum * BigInt(rate.num), over * BigInt(rate.den)))
    if (next > first) sections.push({ start: from, end: to, speed: at, first, frames: next - first })
    first = next
  }
  let at = start
  for (const segment of speed.toSorted((a, b) => a.start - b.start)) {
    const from = Micros.make(Math.min(Math.max(microsOf(segment.start), at), end))
    const to = Micros.make(Math.min(Math.max(microsOf(segment.end), from), end))
    add(at, from, USUAL_SPEED)
    add(from, to, { num: Math.round(segment.rate * SPEED_STEPS), den: SPEED_STEPS })
    at = to
  }
  add(at, end, USUAL_SPEED)
  return sections
}

/** Output frames of a clip; 0: it is shorter than one. */
export const clipFrames = (clip: Timed, rate: Rational): number =>
  sectionsOf(clip, rate).reduce((sum, section) => sum + section.frames, 0)

/** Output frames a second of source time. */
export const sourceRate = ({ speed }: Pick<Section, "speed">, rate: Rational): Rational => {
  const [num, den] = [BigInt(rate.num) * BigInt(speed.den), BigInt(rate.den) * BigInt(speed.num)]
  const shared = gcd(num, den)
  return { num: Number(num / shared), den: Number(den / shared) }
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b))
