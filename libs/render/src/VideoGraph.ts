import type { PictureInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Target } from "@reelay/contracts/RenderSpec"
import { type Framing, type Size, uprightSize } from "./Crop.ts"
import type { FrameGrid } from "./FrameGrid.ts"
import { cutOut, fitted } from "./FramingGraph.ts"

/** The filter graph of a chunk: from decoded source frames to exactly the frames [from, to) of a clip. */
export interface VideoGraphInput {
  readonly picture: PictureInfo
  readonly target: Target
  readonly grid: FrameGrid
  readonly from: number
  readonly to: number
  /** Whether the source was seeked: then its first decoded frame is not its first frame. */
  readonly seeked: boolean
  /** Frames at the end that show the source's very last frame. */
  readonly hold: number
  readonly pixelFormat: "yuv420p" | "nv12"
  /** The part of the picture that is shown; null: all of it. */
  readonly framing: Framing | null
}

/** Bit-exact on every machine: no approximating SIMD paths, chroma interpolated in full. */
const SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"

/** A script for `-filter_complex_script`; its result is labelled `[v]`. */
export const videoGraph = (input: VideoGraphInput): string =>
  `[0:${input.picture.streamIndex}]${[...timing(input), ...look(input)].join(",\n")}[v]\n`

/**
 * Puts source frames on the output's grid (FrameGrid.ts) and cuts the range out. `setpts` computes each frame's place
 * exactly; `fps` then only repeats and drops. `trim` has an end, so that frames missing at the start (a seek that landed
 * too late) make the count wrong instead of the picture.
 */
const timing = ({ picture, target, grid, from, to, seeked, hold }: VideoGraphInput): ReadonlyArray<string> => {
  const { timeBase } = picture
  const rate = target.frameRate
  const fine = ticksPerTick(timeBase, rate)
  const perFrame = `${BigInt(rate.den) * BigInt(timeBase.den) * BigInt(fine)}/${BigInt(rate.num) * BigInt(timeBase.num)}`
  const ticks = fine === 1 ? "PTS" : `PTS/${fine}`
  const place = `floor(((${ticks}-(${grid.origin}))*${grid.scale}+(${grid.bias}))/${grid.divisor})`
  return [
    `settb=${timeBase.num}/${timeBase.den * fine}`,
    `setpts='round(${place}*${perFrame})'`,
    // Where the decoder thinks that the last frame is over at once, fps would drop it: something has to follow.
    ...(hold > 0 ? [`tpad=stop_mode=clone:stop_duration=${seconds(2 * rate.den, rate.num)}`] : []),
    `fps=${rate.num}/${rate.den}:round=near${seeked ? "" : ":start_time=0"}`,
    ...(hold > 0 ? [`tpad=stop_mode=clone:stop=${hold}`] : []),
    `trim=start_pts=${from}:end_pts=${to}`,
    `setpts=PTS-${from}`
  ]
}

const seconds = (num: number, den: number): string => (num / den).toFixed(6)

/** How often a source's tick is divided so that a sixteenth of an output frame can be told (AVI counts in frames). */
const ticksPerTick = (timeBase: Rational, rate: Rational): number =>
  Math.max(1, Math.ceil((16 * timeBase.num * rate.num) / (timeBase.den * rate.den)))

/** Size, square pixels, colours. ffmpeg has turned the picture upright before the graph sees it. */
const look = ({ framing, picture, target, pixelFormat }: VideoGraphInput): ReadonlyArray<string> => {
  const color = outputColor(picture)
  const given = inputMatrix(picture) ?? color.matrix
  const scale = ({ height, width }: Size) =>
    `scale=${width}:${height}:flags=${SCALER}:in_color_matrix=${SCALE_MATRIX[given]}`
    + `:out_color_matrix=${SCALE_MATRIX[given]}:out_range=tv`
  return [
    ...(framing === null ? [] : cutOut(framing, uprightSize(picture))),
    ...(framing === null && target.fit !== "crop" ? fitted(picture, target, target.fit, scale) : [scale(target)]),
    "setsar=1",
    "format=yuv420p",
    // scale can change the matrix too, by way of RGB and at twice the cost of all the rest.
    ...(given === color.matrix
      ? []
      : [`colorspace=fast=1:dither=none:space=${color.matrix}:ispace=${given}:${SAME_OTHERWISE}`]),
    ...(pixelFormat === "yuv420p" ? [] : [`format=${pixelFormat}`]),
    `setparams=range=tv:colorspace=${color.matrix}:color_primaries=${color.primaries}:color_trc=${color.transfer}`
  ]
}

/** Of colour, only the matrix is changed. */
const SAME_OTHERWISE = "primaries=bt709:iprimaries=bt709:trc=bt709:itrc=bt709:range=tv:irange=tv"

export interface OutputColor {
  readonly matrix: Matrix
  readonly primaries: string
  readonly transfer: string
}

/** Matrices by ffprobe's names, with scale's name for each. */
const SCALE_MATRIX = {
  bt709: "bt709",
  fcc: "fcc",
  bt470bg: "bt601",
  smpte170m: "bt601",
  smpte240m: "smpte240m",
  bt2020nc: "bt2020"
} as const
type Matrix = keyof typeof SCALE_MATRIX

const isMatrix = (name: string | null): name is Matrix => name !== null && Object.hasOwn(SCALE_MATRIX, name)

/**
 * Everything becomes BT.709, but for HDR: until tone mapping works it stays what it is and says so, which players show
 * right, where a false BT.709 tag would look washed out.
 */
export const outputColor = (picture: PictureInfo): OutputColor =>
  isHdr(picture)
    ? { matrix: "bt2020nc", primaries: "bt2020", transfer: picture.colorTransfer ?? "" }
    : { matrix: "bt709", primaries: "bt709", transfer: "bt709" }

const isHdr = ({ colorTransfer }: PictureInfo): boolean =>
  colorTransfer === "smpte2084" || colorTransfer === "arib-std-b67"

/**
 * Null for RGB, which has none: it goes straight to the output's. Where a file does not say, players take small pictures
 * for BT.601 and large ones for BT.709; ffmpeg would take all for BT.601.
 */
const inputMatrix = (picture: PictureInfo): Matrix | null => {
  if (/rgb|bgr|gbr|pal8/.test(picture.pixelFormat)) return null
  if (isMatrix(picture.colorSpace)) return picture.colorSpace
  if (isHdr(picture)) return "bt2020nc"
  return Math.min(picture.codedWidth, picture.codedHeight) >= 720 ? "bt709" : "smpte170m"
}
