import type { Micros, Rational } from "@reelay/contracts/Quantity"

/** Frames of a range: round((end − start) · R), exact (no floating point), halves away from zero. */
export const framesBetween = (_start: Micros, _end: Micros, _rate: Rational): number => {
  throw new Error("stub")
}

/** Audio samples before output frame `frame`: round(frame · 48000 / R). Sound is cut where frames are. */
export const samplesBefore = (_frame: number, _rate: Rational): number => {
  throw new Error("stub")
}
