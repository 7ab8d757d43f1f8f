import type { FrameIndex, MediaInfo } from "@reelay/contracts/Media"
import { lastAtMost } from "./Ascending.ts"
import { type FrameGrid, placeOf, shownAt } from "./FrameGrid.ts"
import { roundDivide } from "./Timeline.ts"

/** How a chunk gets at its source frames without decoding all that lies before them. */
export interface Approach {
  /** Whole microseconds for `-ss`, counted from the file's zero. Null: decode from the start. */
  readonly seek: number | null
  /** Output frames at the chunk's end that show the source's very last frame. */
  readonly hold: number
}

/** Containers whose index names key frames by presentation time: a seek to a key frame lands on it, or before. */
const indexed = (container: string): boolean => /(^|,)mp4(,|$)|(^|,)matroska(,|$)/.test(container)

/**
 * Elsewhere (MPEG-TS above all) a seek lands *near* a place, by decoding time: aim a whole GOP early, and a second at
 * least. Landing too early costs some decoding; landing too late costs frames, which the count then betrays.
 */
const MARGIN_MICROS = 1_000_000n

/** Output frames [from, to) of a clip whose grid this is. */
export const approach = (
  media: Pick<MediaInfo, "container" | "fileStart">,
  index: FrameIndex,
  grid: FrameGrid,
  from: number,
  to: number
): Approach => {
  const last = index.pts[index.pts.length - 1]
  return {
    seek: seekTo(media, index, shownAt(grid, index, from)),
    hold: last === undefined ? 0 : Math.max(0, Math.min(to - from, to - placeOf(grid, last)))
  }
}

/**
 * Microseconds of source that are decoded only to get at output frame `frame`: from the key frame that a seek for it lands
 * on. What a chunk that begins there costs beyond its own frames.
 */
export const runUp = (
  media: Pick<MediaInfo, "container" | "fileStart">,
  index: FrameIndex,
  grid: FrameGrid,
  frame: number
): number => {
  const shown = shownAt(grid, index, frame)
  const key = keyFor(media, index, shown)
  return Math.max(0, Number(microsOf(index, shown) - microsOf(index, key < 0 ? 0 : (index.keys[key] ?? 0))))
}

/** The output frames around `frame` from which on a key frame of the source is shown: where little is decoded in vain. */
export const keysNear = (index: FrameIndex, grid: FrameGrid, frame: number): ReadonlyArray<number> => {
  const before = lastAtMost(index.keys, shownAt(grid, index, frame))
  return [before, before + 1].flatMap((key) => {
    const pts = index.pts[index.keys[key] ?? -1]
    return pts === undefined ? [] : [placeOf(grid, pts)]
  })
}

/** Whole microseconds from the file's zero to the frame at a position of the index. */
export const timeAt = ({ fileStart }: Pick<MediaInfo, "fileStart">, index: FrameIndex, position: number): number =>
  Number(microsOf(index, position)) - fileStart

const seekTo = (media: Pick<MediaInfo, "container" | "fileStart">, index: FrameIndex, shown: number): number | null => {
  const key = keyFor(media, index, shown)
  // The first key frame is where a decoder starts anyway.
  if (key <= 0) return null
  const seek = microsOf(index, index.keys[key] ?? 0) - BigInt(media.fileStart)
  return seek <= 0n ? null : Number(seek)
}

/** Presentation time of a position in the index. */
const microsOf = (index: FrameIndex, position: number): bigint =>
  roundDivide(BigInt(index.pts[position] ?? 0) * BigInt(index.timeBase.num) * 1_000_000n, BigInt(index.timeBase.den))

/** Which key frame to aim at for the frame at a position of the index; −1: the file's start. */
const keyFor = (media: Pick<MediaInfo, "container">, index: FrameIndex, shown: number): number => {
  let key = lastAtMost(index.keys, shown)
  if (key >= 0 && !indexed(media.container)) {
    const latest = microsOf(index, index.keys[key] ?? 0) - MARGIN_MICROS
    do key--
    while (key >= 0 && microsOf(index, index.keys[key] ?? 0) > latest)
  }
  return key
}
