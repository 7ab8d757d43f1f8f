import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "./Argv.ts"
import { fileUrl, ownInput } from "./Safety.ts"

/** What all files that are written and joined have in common. */

/** Nothing of a source's metadata leaves: places, names, devices. And no version numbers, for equal bytes. */
export const stripped = argv`-map_metadata -1 -map_chapters -1 -fflags +bitexact`

/** Ticks per second of a video track: a frame is a whole number of them, whatever the rate. */
export const timescale = (rate: Rational): number => {
  let scale = rate.num
  while (scale < 10_000) scale *= 2
  return scale
}

/** Of a video track. */
export const ticksPerFrame = (rate: Rational): number => (timescale(rate) / rate.num) * rate.den

export interface Piece {
  readonly path: string
  /** Whole microseconds; absent: what the file says, which for MP4 is rounded to milliseconds. 0: of the first, its header alone. */
  readonly duration?: number
}

/** A script of the concat demuxer. */
export const concatList = (parts: ReadonlyArray<Piece>): string =>
  [
    "ffconcat version 1.0",
    ...parts.flatMap(({ path, duration }) => [
      `file '${fileUrl(path).replaceAll("'", "'\\''")}'`,
      ...(duration === 0 ? ["inpoint 0us", "outpoint 0us"] : []),
      ...(duration === undefined ? [] : [`duration ${duration}us`])
    ]),
    ""
  ].join("\n")

/** An input that is all parts of a list, one after the other, as they are. */
export const concatenated = (list: string): ReadonlyArray<string> =>
  argv`${ownInput} -f concat -safe 0 -auto_convert 0 -i ${fileUrl(list)}`
