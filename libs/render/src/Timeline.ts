import type { Micros, Rational } from "@reelay/contracts/Quantity"

/**
 * Exact time. Rates are rationals and instants whole microseconds, so every question about frames and samples has one
 * answer in whole numbers; nothing here goes through floating point.
 */

/** Hertz of every soundtrack that is made. */
export const SAMPLE_RATE = 48_000

const MICROS_PER_SECOND = 1_000_000n

/** ⌊n / d⌋ for a positive `d`, also below zero. */
export const floorDivide = (n: bigint, d: bigint): bigint => (n >= 0n ? n / d : -((-n + d - 1n) / d))

/** n / d to the nearest whole number, halves up (which is away from zero for what is not negative). */
export const roundDivide = (n: bigint, d: bigint): bigint => floorDivide(2n * n + d, 2n * d)

/** Frames of a range: round((end − start) · R), exact (no floating point), halves away from zero. */
export const framesBetween = (start: Micros, end: Micros, rate: Rational): number =>
  Number(roundDivide((BigInt(end) - BigInt(start)) * BigInt(rate.num), MICROS_PER_SECOND * BigInt(rate.den)))

/** Audio samples before output frame `frame`: round(frame · 48000 / R). Sound is cut where frames are. */
export const samplesBefore = (frame: number, rate: Rational): number =>
  Number(roundDivide(BigInt(frame) * BigInt(SAMPLE_RATE) * BigInt(rate.den), BigInt(rate.num)))

/** Seconds at which output frame `frame` begins. For estimates and display; never to cut by. */
export const secondsAt = (frame: number, rate: Rational): number => (frame * rate.den) / rate.num

/** The same, to the nearest whole microsecond. */
export const microsAt = (frame: number, rate: Rational): number =>
  Number(roundDivide(BigInt(frame) * BigInt(rate.den) * MICROS_PER_SECOND, BigInt(rate.num)))
