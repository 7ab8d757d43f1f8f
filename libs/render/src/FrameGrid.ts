import { lastAtMost } from "./Ascending.ts"
import type { FrameIndex } from "@reelay/contracts/Media"
import type { Micros, Rational } from "@reelay/contracts/Quantity"
import { floorDivide } from "./Timeline.ts"

/**
 * Where a source frame falls on a clip's grid of output frames: round((time − clip start) · R), halves up. Output frame
 * n shows the last source frame whose place is ≤ n.
 *
 * The place is ⌊((ticks − origin) · scale + bias) / divisor⌋ in whole numbers. ffmpeg evaluates the very same formula
 * (VideoGraph.ts): `origin` lies next to the clip's start, so that the products stay far below 2⁵³, where its doubles
 * are exact, and a 59.94 → 29.97 conversion (every second frame is a tie) comes out even. Rounding by way of a common
 * fine time base, or of seconds, does not.
 */
export interface FrameGrid {
  readonly origin: bigint
  readonly scale: bigint
  readonly bias: bigint
  readonly divisor: bigint
}

const gcd = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b]
  while (y !== 0n) [x, y] = [y, x % y]
  return x
}

/**
 * `zeroPts` is media zero in ticks of `timeBase` (seconds per tick); `start` is the clip's, from media zero; `rate` is
 * output frames a second of source time: the output's rate over the clip's speed.
 */
export const frameGrid = (timeBase: Rational, zeroPts: number, start: Micros, rate: Rational): FrameGrid => {
  const [ticks, perSecond] = [BigInt(timeBase.num), BigInt(timeBase.den)]
  const [frames, seconds] = [BigInt(rate.num), BigInt(rate.den)]
  const zero = BigInt(zeroPts)
  const million = 1_000_000n
  const origin = zero + floorDivide(BigInt(start) * perSecond, million * ticks)
  // x + ½ = (pts − origin)·tb·R + ((origin − zero)·tb − start)·R + ½, over the common denominator 2·10⁶·tbDen·RDen.
  const scale = 2n * million * ticks * frames
  const bias =
    2n * ((origin - zero) * ticks * million - BigInt(start) * perSecond) * frames + million * perSecond * seconds
  const divisor = 2n * million * perSecond * seconds
  const common = gcd(gcd(scale, bias), divisor)
  return { origin, scale: scale / common, bias: bias / common, divisor: divisor / common }
}

/** The output frame from which on a source frame with this presentation time (ticks) may be shown. */
export const placeOf = (grid: FrameGrid, pts: number): number =>
  Number(floorDivide((BigInt(pts) - grid.origin) * grid.scale + grid.bias, grid.divisor))

/** The latest presentation time (ticks) of a source frame that output frame `frame` may show. */
export const latestAt = (grid: FrameGrid, frame: number): number =>
  Number(grid.origin + floorDivide(BigInt(frame + 1) * grid.divisor - grid.bias - 1n, grid.scale))

/** Position in the index of the source frame that output frame `frame` shows; 0 when even the first comes later. */
export const shownAt = (grid: FrameGrid, index: FrameIndex, frame: number): number =>
  Math.max(0, lastAtMost(index.pts, latestAt(grid, frame)))
