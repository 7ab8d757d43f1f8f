import type { FrameIndex, MediaInfo, PictureInfo } from "@reelay/contracts/Media"
import type { Edge } from "@reelay/contracts/Plan"
import type { RenderSpec, SpecClip, SpecSource, Target } from "@reelay/contracts/RenderSpec"
import type { Range } from "./Chunks.ts"
import { lastAtMost } from "./Ascending.ts"
import { neverCopied } from "./CodingOrder.ts"
import { ceilingOf } from "./Estimate.ts"
import { frameGrid, placeOf, shownAt } from "./FrameGrid.ts"
import { timeAt } from "./Seek.ts"
import { sequenceOf } from "./Sequence.ts"
import { sourceOf } from "./Spec.ts"
import { microsAt } from "./Timeline.ts"
import { inputMatrix } from "./VideoGraph.ts"

/**
 * Whether a file can be made by copying most of its frames from a source as they are: what is left is encoded, and all of
 * it joined without decoding. Decided from spec and frame indexes alone. What an index says of a source may be wrong, so the
 * result is compared with the source around every seam (SmartCutCheck.ts), and an export that fails is planned without it.
 */
export interface SmartCut {
  /** What of a clip is copied. Clips that are not here, and what lies before and after, are encoded. */
  readonly copies: ReadonlyMap<SpecClip, Copied>
  readonly edge: Edge
}

/** Frames of a clip, counted from its first. */
export interface Copied extends Range {
  /** As in the plan's `copy`. */
  readonly at: number
  readonly late: number
  readonly ahead: number
}

/** Frames that are encoded at least after a copied piece that ends within a group. */
const SHORTEST_TAIL = 3
/** Less than this part of a file is not worth having all that is encoded made for joining. */
const WORTH = 0.5

/** Looks at the clips of one file after the other; instead of a smart cut it answers why not, for an operator. */
export const smartCutter = (spec: RenderSpec, indexes: ReadonlyMap<string, FrameIndex>) => {
  const read = new Map<string, SourceFrames | string>()
  const framesOf = (source: SpecSource): SourceFrames | string => {
    const known = read.get(source.indexKey) ?? sourceFrames(spec.target, source, indexes.get(source.indexKey))
    read.set(source.indexKey, known)
    return known
  }
  const copiedOf = (clip: SpecClip): Copied | string => {
    if (spec.type !== "framing") return `an export of type ${spec.type} may draw over the picture`
    const source = sourceOf(spec, clip)
    const frames = editOf(clip) ?? framesOf(source)
    return typeof frames === "string" ? frames : wholeGroups(clip, source.media, frames, spec.target)
  }
  return (clips: ReadonlyArray<SpecClip>): SmartCut | string => {
    const { frames, placed } = sequenceOf(clips, spec.target.frameRate)
    if (placed.some(({ dissolve, fadeIn, fadeOut }) => dissolve + fadeIn + fadeOut > 0)) return "it fades or dissolves"
    const found = new Map<SpecSource, { readonly copies: Map<SpecClip, Copied>; frames: number }>()
    let obstacle = "nothing can be copied"
    for (const [position, clip] of clips.entries()) {
      const copied = copiedOf(clip)
      if (typeof copied === "string") {
        obstacle = clips.length === 1 ? copied : `clip ${position + 1}: ${copied}`
        continue
      }
      const source = sourceOf(spec, clip)
      const of = found.get(source) ?? { copies: new Map(), frames: 0 }
      of.copies.set(clip, copied)
      of.frames += copied.to - copied.from
      found.set(source, of)
    }
    // Parameter sets of two sources may have one number: only one of them is copied from.
    const [best] = [...found].toSorted(([, a], [, b]) => b.frames - a.frames)
    if (best === undefined) return obstacle
    const [source, { copies, frames: copied }] = best
    if (copied < frames * WORTH) return `only ${copied} of ${frames} frames could be copied`
    const { level, profile } = source.media.picture
    return { copies, edge: { profile, level, sets: setsBeside(source) } }
  }
}

/** A number that the source's own sets hardly have: they have 0, or what an earlier smart cut chose beside another source. */
const setsBeside = ({ sha256 }: SpecSource): number => 16 + (Number.parseInt(sha256.slice(0, 2), 16) % 16)

/** What of the edit changes pictures. */
const editOf = ({ crop, speed }: SpecClip): string | null => {
  if (speed.some(({ rate }) => rate !== 1)) return "it changes its speed"
  const cuts = crop?.keyframes.some(({ height, width, x, y }) => x !== 0 || y !== 0 || width !== 1 || height !== 1)
  return cuts === true ? "it is cropped" : null
}

/** A source that can be copied from. Places are positions in its index. */
interface SourceFrames {
  readonly index: FrameIndex
  /** Where it can be cut, the end among them. Ascending. */
  readonly cuts: ReadonlyArray<number>
  /** Those of them that are key frames. */
  readonly starts: ReadonlyArray<number>
  readonly ahead: number
}

/** Or why it is not as the output is to be. */
const sourceFrames = (target: Target, { media }: SpecSource, index: FrameIndex | undefined): SourceFrames | string => {
  const obstacle = pictureObstacle(media, target)
  if (obstacle !== null) return obstacle
  if (index?.order === undefined) return "the source's index does not say in which order its frames are coded"
  let end = 0
  const cuts = [0, ...index.order.runs.map((run) => (end += run))]
  const keys = new Set(index.keys)
  return { index, cuts, starts: cuts.filter((place) => keys.has(place)), ahead: index.order.ahead }
}

const pictureObstacle = ({ container, picture }: MediaInfo, target: Target): string | null => {
  if (target.format === "webm") return "webm is always encoded"
  if (picture.codec !== target.codec) return `the source is ${picture.codec}`
  const never = neverCopied(container, picture.codec)
  if (never !== null) return never
  if (picture.codedWidth !== target.width || picture.codedHeight !== target.height) {
    return `the source is ${picture.codedWidth}×${picture.codedHeight}`
  }
  if (picture.rotation !== 0) return "the source is turned"
  if (picture.sampleAspect.num !== picture.sampleAspect.den) return "the source's pixels are not square"
  if (picture.interlaced) return "the source is interlaced"
  if (picture.pixelFormat !== "yuv420p") return `the source is ${picture.pixelFormat}`
  if (!isBt709(picture)) return "the source's colours are not BT.709"
  const { den, num } = picture.frameRate
  if (picture.variableFrameRate || num * target.frameRate.den !== den * target.frameRate.num) {
    return "the source's frame rate is not the output's"
  }
  return null
}

const isBt709 = (picture: PictureInfo): boolean =>
  (picture.colorRange === null || picture.colorRange === "tv")
  && inputMatrix(picture) === "bt709"
  && [picture.colorPrimaries, picture.colorTransfer].every((name) => name === null || name === "bt709")

/**
 * From the first key frame at which the source can be cut to the clip's end, or to the last place short of it; if every
 * output frame is the source's next one.
 */
const wholeGroups = (
  clip: SpecClip,
  media: MediaInfo,
  { ahead, cuts, index, starts }: SourceFrames,
  target: Target
): Copied | string => {
  const { frameRate } = target
  const grid = frameGrid(media.picture.timeBase, media.picture.zeroPts, clip.start, frameRate)
  const first = shownAt(grid, index, 0)
  const end = Math.min(first + clip.frames, index.pts.length)
  const lastCut = (bound: number) => cuts[lastAtMost(cuts, bound)]
  const from = starts[lastAtMost(starts, first - 1) + 1]
  const to = end === first + clip.frames && lastCut(end) === end ? end : lastCut(end - SHORTEST_TAIL)
  if (from === undefined || to === undefined || to <= from) return "no whole group of the source lies within it"
  if (rateOf(media, index, from, to) > ceilingOf(target)) {
    return `the source takes more than ${target.quality} quality may`
  }
  for (let at = first; at < end; at++) {
    if (placeOf(grid, index.pts[at] ?? 0) !== at - first) return "the source's frames are not on the output's grid"
  }
  const at = timeAt(media, index, from)
  const next = index.keys[lastAtMost(index.keys, from) + 1]
  const group = next === undefined ? Infinity : timeAt(media, index, next) - at
  // Where an edit list hides the beginning, a seek to the frame's own time can land a group early: by as much as coding is ahead.
  const late = Math.floor(Math.min(microsAt(ahead, frameRate), group / 2))
  return { from: from - first, to: to - first, at, late, ahead }
}

/**
 * Bits per second of frames [from, to) of a source and of what lies among them, up to the next key frame; of all of it where
 * the index does not say.
 */
const rateOf = (media: MediaInfo, index: FrameIndex, from: number, to: number): number => {
  const after = lastAtMost(index.keys, to - 1) + 1
  const [begin, end] = [index.keyBytes[lastAtMost(index.keys, from)] ?? -1, index.keyBytes[after] ?? media.bytes]
  if (begin < 0 || end <= begin) return (media.bytes * 8e6) / media.picture.duration
  const key = index.keys[after]
  const until = key === undefined ? timeAt(media, index, 0) + media.picture.duration : timeAt(media, index, key)
  return ((end - begin) * 8e6) / (until - timeAt(media, index, from))
}
