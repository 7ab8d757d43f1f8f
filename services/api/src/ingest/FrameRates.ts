import type { Rational } from "@reelay/contracts/Quantity"
import { ratio, toNumber } from "@reelay/contracts/Quantity"

/** Rates that cameras and editors mean. */
const USUAL: ReadonlyArray<Rational> = [
  ratio(24_000, 1001),
  ratio(24),
  ratio(25),
  ratio(30_000, 1001),
  ratio(30),
  ratio(48),
  ratio(50),
  ratio(60_000, 1001),
  ratio(60),
  ratio(120_000, 1001),
  ratio(120),
  ratio(240),
  ratio(12),
  ratio(15),
  ratio(10),
  ratio(5)
]

const LARGEST_DENOMINATOR = 1001

/** The fraction nearest to a positive number whose parts stay small enough to reckon with exactly. */
export const nearestFraction = (value: number): Rational => {
  let [beforeNum, num] = [1, Math.floor(value)]
  let [beforeDen, den] = [0, 1]
  let rest = value - num
  while (rest > 1e-9) {
    const inverse = 1 / rest
    const step = Math.floor(inverse)
    const nextDen = step * den + beforeDen
    if (nextDen > LARGEST_DENOMINATOR) break
    ;[beforeNum, num] = [num, step * num + beforeNum]
    ;[beforeDen, den] = [den, nextDen]
    rest = inverse - step
  }
  // Slower than a frame in a thousand seconds: no video means that, but a rate is never zero.
  return num === 0 ? ratio(1, LARGEST_DENOMINATOR) : ratio(num, den)
}

const distance = (rate: Rational, value: number): number => Math.abs(toNumber(rate) / value - 1)

/** How far from a usual rate an average may be and still mean it. */
const SNAP = 0.001
/** Ticks by which two rounded times may be wrong together, and half as much again. */
const ROUNDING = 1.5

/**
 * The average rate over `spanTicks` from the first frame to the last, snapped to a usual rate within a thousandth, or
 * within what the ticks can tell where few frames meet a coarse time base. `declared` is what the container says: of
 * two usual rates that fit, it is meant. A single frame has only that (25 without it).
 */
export const averageRate = (
  frames: number,
  spanTicks: number,
  timeBase: Rational,
  declared: Rational | null
): Rational => {
  if (frames < 2 || spanTicks <= 0) return declared ?? ratio(25)
  const average = ((frames - 1) * timeBase.den) / (spanTicks * timeBase.num)
  const tolerance = Math.max(SNAP, ROUNDING / spanTicks)
  const fits = (rate: Rational) => distance(rate, average) <= tolerance
  const usual = declared === null ? undefined : USUAL.find((rate) => distance(rate, toNumber(declared)) < 1e-6)
  if (usual !== undefined && fits(usual)) return usual
  const nearest = USUAL.toSorted((a, b) => distance(a, average) - distance(b, average))[0]
  return nearest !== undefined && fits(nearest) ? nearest : nearestFraction(average)
}

/**
 * A frame may be this part of a frame's length off the grid before the rate is called variable; on a coarse time base as
 * much as rounding does, but never half a frame, which is where another one would be meant.
 */
const JITTER = 0.1
const HALF = 0.5

/** Whether frames (ticks, ascending) stray from the grid of `rate` that the first one starts. */
export const isVariable = (pts: ReadonlyArray<number> | Float64Array, timeBase: Rational, rate: Rational): boolean => {
  const first = pts[0]
  if (first === undefined) return false
  const ticksPerFrame = (rate.den * timeBase.den) / (rate.num * timeBase.num)
  const allowed = Math.max(Math.min(ROUNDING, HALF * ticksPerFrame), JITTER * ticksPerFrame)
  return pts.some((at: number, frame: number) => Math.abs(at - first - frame * ticksPerFrame) > allowed)
}
