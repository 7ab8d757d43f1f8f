/**
 * What a result must show, reckoned in plain code and apart from the compiler: output frame n of a range shows the last
 * source frame whose time, rounded to the grid, is not after n. Microseconds and exact fractions, as stored specs say time.
 */
export interface Grid {
  readonly num: number
  readonly den: number
}

const roundHalfUp = (numerator: bigint, denominator: bigint): bigint => {
  const twice = 2n * numerator + denominator
  const floor = twice / (2n * denominator)
  return twice < 0n && twice % (2n * denominator) !== 0n ? floor - 1n : floor
}

export const expectedFrames = (start: number, end: number, rate: Grid): number =>
  Number(
    roundHalfUp(
      BigInt(Math.round(end * 1e6) - Math.round(start * 1e6)) * BigInt(rate.num),
      1_000_000n * BigInt(rate.den)
    )
  )

/** Numbers shown by seconds [start, end) of a constant-rate source of `frames` frames, on the source's own grid. */
export const expectedNumbers = (start: number, end: number, rate: Grid, frames: number): ReadonlyArray<number> => {
  const micros = BigInt(Math.round(start * 1e6))
  const million = 1_000_000n
  const { num, den } = { num: BigInt(rate.num), den: BigInt(rate.den) }
  // Frame i is at i·den/num seconds: its place on the grid is round(i − start·num/den).
  const place = (i: number) => roundHalfUp(BigInt(i) * million * den - micros * num, million * den)
  const shown: Array<number> = []
  let source = 0
  for (let n = 0; n < expectedFrames(start, end, rate); n++) {
    while (source + 1 < frames && place(source + 1) <= BigInt(n)) source++
    shown.push(source)
  }
  return shown
}
