import type { FrameIndex } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"

/**
 * Which source frame each output frame shows, straight from the definition and knowing nothing of ffmpeg nor of
 * FrameGrid.ts: the last whose time · R is below n + ½.
 */
export const model = (
  index: FrameIndex,
  startMicros: number,
  frames: number,
  rate: Rational
): ReadonlyArray<number> => {
  const zero = index.pts[0] ?? 0
  const mayShow = (pts: number, n: number): boolean => {
    // (pts − zero)·tb·R − start·R < n + ½, all denominators multiplied out.
    const left =
      BigInt(pts - zero) * BigInt(index.timeBase.num) * 1_000_000n - BigInt(startMicros) * BigInt(index.timeBase.den)
    const perFrame = 1_000_000n * BigInt(index.timeBase.den)
    return 2n * left * BigInt(rate.num) < BigInt(2 * n + 1) * perFrame * BigInt(rate.den)
  }
  return Array.from({ length: frames }, (_, n) => index.pts.findLastIndex((pts) => mayShow(pts, n)))
}
