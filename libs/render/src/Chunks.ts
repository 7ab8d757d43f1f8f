import type { Family } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import { roundDivide } from "./Timeline.ts"

/** Output frames [from, to) of a clip. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** Seconds between key frames, at the most. Every GOP is closed, so that chunks can be joined and later cut at any of them. */
const GOP_SECONDS = 2n
/** Seconds of a chunk: short where starting an encoder costs nothing, long where it takes a session on a device. */
const SECONDS = { software: 6n, nvenc: 30n, qsv: 30n, amf: 30n, videotoolbox: 30n } as const satisfies Record<
  Family,
  bigint
>
/**
 * How much shorter or longer a chunk may get for the sake of its successor's run-up: between 3 s and 12 s lies a key frame of
 * whatever x264 made by itself, one every 250 frames, at 24, 25 and 30 frames a second.
 */
const SHORTEST = 1 / 2
const LONGEST = 2
/** What may be left for the last chunk, where a key frame is there: two seconds of six. */
const LEAST_REST = 1 / 3
/** A second of run-up is worth so many seconds by which a chunk differs from its usual length. */
const RUN_UP_WORTH = 5
/** More chunks than this cost more in plans and messages than finer ones gain: their length doubles instead. */
const MAX_CHUNKS = 1024

const framesIn = (seconds: bigint, rate: Rational): number =>
  Math.max(1, Number(roundDivide(seconds * BigInt(rate.num), BigInt(rate.den))))

/**
 * Frames from one key frame to the next in a piece of so many: as few groups as two seconds at the most allow, all of one
 * length. (A rest of some frames would be a group of its own, and a key frame is the dearest of all.) Two seconds also in
 * what is shorter: devices refuse groups of a few frames.
 */
export const gopFrames = (frames: number, rate: Rational): number => {
  const most = framesIn(GOP_SECONDS, rate)
  return frames <= most ? most : Math.ceil(frames / Math.ceil(frames / most))
}

/** Whether so little is not worth two encoders: a remainder under half a chunk joins its neighbour. */
const isWhole = (frames: number, usual: number): boolean => 2 * frames < 3 * usual

/** Whether a file of so many frames is made in one go. */
export const isOneChunk = (frames: number, rate: Rational, family: Family): boolean =>
  isWhole(frames, framesIn(SECONDS[family], rate))

/** What it costs to begin at an output frame. */
export interface RunUps {
  /** Microseconds of source between the key frame that decoding must begin with and the frame that is wanted. */
  readonly before: (frame: number) => number
  /** The output frames around this one from which on a key frame of the source is shown. */
  readonly keysNear: (frame: number) => ReadonlyArray<number>
}

/**
 * A clip's chunks, from the clip, its source's frame index and the family alone: never from how many slots are free, so
 * that any farm makes the same files. They begin where the source has a key frame, if one is near: what lies between it and
 * a chunk's first frame is decoded in vain. (Six seconds of output cut regardless out of a source with a key frame every
 * 8⅓ s, as ffmpeg makes them at 30 fps, cost 11 % more than one pass.) Boundaries are chosen from the start on, so that a
 * later end leaves the first ones where they were.
 */
export const chunksOf = (frames: number, rate: Rational, family: Family, runUps: RunUps): ReadonlyArray<Range> => {
  let usual = framesIn(SECONDS[family], rate)
  while (frames / usual > MAX_CHUNKS) usual *= 2
  const [shortest, longest] = [Math.ceil(usual * SHORTEST), Math.floor(usual * LONGEST)]
  const microsPerFrame = (rate.den * 1e6) / rate.num

  const boundaries = [0]
  for (let from = 0; !isWhole(frames - from, usual);) {
    const fits = (to: number) => to - from >= shortest && to - from <= longest && frames - to >= usual * LEAST_REST
    const cost = (to: number) => runUps.before(to) * RUN_UP_WORTH + Math.abs(to - from - usual) * microsPerFrame
    let best = { to: from + usual, cost: cost(from + usual) }
    for (const to of runUps.keysNear(best.to)) {
      if (fits(to) && cost(to) < best.cost) best = { to, cost: cost(to) }
    }
    from = best.to
    boundaries.push(from)
  }
  return boundaries.map((from, i) => ({ from, to: boundaries[i + 1] ?? frames }))
}
