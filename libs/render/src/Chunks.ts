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
/** More chunks than this cost more in plans and messages than finer ones gain: the grid doubles instead. */
const MAX_CHUNKS = 1024

/** Frames between key frames: two seconds, at least one. */
export const gopFrames = (rate: Rational): number =>
  Math.max(1, Number(roundDivide(GOP_SECONDS * BigInt(rate.num), BigInt(rate.den))))

/**
 * A clip's chunks, from its length, rate and family alone: never from how many slots are free, so that any farm makes
 * the same files. A remainder under half a grid joins its neighbour: no encoder is started for a handful of frames.
 */
export const chunksOf = (frames: number, rate: Rational, family: Family): ReadonlyArray<Range> => {
  let grid = gopFrames(rate) * GOPS[family]
  while (frames / grid > MAX_CHUNKS) grid *= 2
  const count = Math.max(1, Math.floor(frames / grid) + (2 * (frames % grid) >= grid ? 1 : 0))
  return Array.from({ length: count }, (_, i) => ({ from: i * grid, to: i === count - 1 ? frames : (i + 1) * grid }))
}
