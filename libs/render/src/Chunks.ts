import type { Family } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import { roundDivide } from "./Timeline.ts"

/** Output frames [from, to) of a clip. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** Seconds between key frames. Every GOP is closed, so that chunks can be joined and later cut at any of them. */
const GOP_SECONDS = 2n
/** GOPs of a chunk: about 6 s where starting an encoder costs nothing, 30 s where it takes a session on a device. */
const GOPS = { software: 3, nvenc: 15, qsv: 15, amf: 15, videotoolbox: 15 } as const satisfies Record<Family, number>
/** How much shorter or longer a chunk may get for the sake of its successor's run-up. */
const SHORTEST = 2 / 3
const LONGEST = 5 / 3
/** A second of run-up is worth so many seconds by which a chunk differs from its usual length. */
const RUN_UP_WORTH = 5
/** More chunks than this cost more in plans and messages than finer ones gain: the grid doubles instead. */
const MAX_CHUNKS = 1024

/** Frames between key frames: two seconds, at least one. */
export const gopFrames = (rate: Rational): number =>
  Math.max(1, Number(roundDivide(GOP_SECONDS * BigInt(rate.num), BigInt(rate.den))))

/** Of a chunk, before it is doubled for the sake of a very long clip. */
const usualFrames = (rate: Rational, family: Family): number => gopFrames(rate) * GOPS[family]

/** Whether so little is not worth two encoders: a remainder under half a chunk joins its neighbour. */
const isWhole = (frames: number, usual: number): boolean => 2 * frames < 3 * usual

/** Whether a file of so many frames is made in one go. */
export const isOneChunk = (frames: number, rate: Rational, family: Family): boolean =>
  isWhole(frames, usualFrames(rate, family))

/**
 * A clip's chunks, from the clip, its source's frame index and the family alone: never from how many slots are free, so
 * that any farm makes the same files. They begin on a grid of GOPs, and where little of the source is decoded in vain:
 * `runUp` says, for an output frame, how many microseconds lie between the key frame that decoding must begin with and
 * the frame that is wanted. (Six seconds of output cut regardless out of a source with a key frame every 8⅓ s, as
 * ffmpeg makes them at 30 fps, cost 11 % more than one pass; this way it is 2 %.) Boundaries are chosen from the start on,
 * so that a later end leaves the first ones where they were.
 */
export const chunksOf = (
  frames: number,
  rate: Rational,
  family: Family,
  runUp: (frame: number) => number
): ReadonlyArray<Range> => {
  const gop = gopFrames(rate)
  let usual = usualFrames(rate, family)
  while (frames / usual > MAX_CHUNKS) usual *= 2
  const gops = usual / gop
  const shortest = Math.max(1, Math.ceil(gops * SHORTEST))
  const longest = Math.floor(gops * LONGEST)
  const microsPerGop = Number(roundDivide(BigInt(gop) * BigInt(rate.den) * 1_000_000n, BigInt(rate.num)))

  const boundaries = [0]
  for (let from = 0; !isWhole(frames - from, usual);) {
    let best = { cost: Infinity, gops }
    for (let length = shortest; length <= longest && 2 * (frames - from - length * gop) >= usual; length++) {
      const cost = runUp(from + length * gop) * RUN_UP_WORTH + Math.abs(length - gops) * microsPerGop
      if (cost < best.cost) best = { cost, gops: length }
    }
    from += best.gops * gop
    boundaries.push(from)
  }
  return boundaries.map((from, i) => ({ from, to: boundaries[i + 1] ?? frames }))
}
