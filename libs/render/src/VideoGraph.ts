import type { PictureInfo } from "@reelay/contracts/Media"
import type { Fade } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Target } from "@reelay/contracts/RenderSpec"
import type { Painted } from "./AssColor.ts"
import { overlayFilters } from "./AssScript.ts"
import { type BeforeAfter, beforeAfterFilters } from "./BeforeAfter.ts"
import { type Framing, type Size, uprightSize } from "./Crop.ts"
import type { FrameGrid } from "./FrameGrid.ts"
import { cutOut, fillsWhole, fitted, SCALER } from "./FramingGraph.ts"
import { highlightFilters } from "./Highlight.ts"
import { type DrawnImage, imageFilters } from "./ImageOverlay.ts"

/** A stretch of a clip: from decoded source frames to exactly its frames [from, to). */
export interface Picture {
  readonly picture: PictureInfo
  readonly target: Target
  readonly grid: FrameGrid
  readonly from: number
  readonly to: number
  /** Whether the source was seeked: then its first decoded frame is not its first frame. */
  readonly seeked: boolean
  /** Frames at the end that show the source's very last frame. */
  readonly hold: number
  /** The part of the picture that is shown; null: all of it. */
  readonly framing: Framing | null
  /** Source and result in one picture; null: the result alone. */
  readonly beside: BeforeAfter | null
  /** The file that holds the mask of what is not dimmed; null: nothing is. */
  readonly highlights: string | null
  /** Drawn over the picture, below the scripts. */
  readonly images: ReadonlyArray<DrawnImage>
  /** Files that hold what is drawn over the picture, and over source and result together. */
  readonly scripts: { readonly picture: ReadonlyArray<Painted>; readonly both: ReadonlyArray<Painted> }
}

/** What an encoder takes. */
type PixelFormat = "yuv420p" | "nv12"

export interface VideoGraphInput extends Picture {
  readonly fades: ReadonlyArray<Fade>
  readonly pixelFormat: PixelFormat
}

/** A script for `-filter_complex_script`; its result is labelled `[v]`. */
export const videoGraph = (input: VideoGraphInput): string => {
  const filters = [
    ...timing(input),
    ...finished(input, ""),
    ...faded(input.fades, input.target.frameRate),
    ...encodable(input.pixelFormat)
  ]
  return `[0:${input.picture.streamIndex}]${filters.join(",\n")}[v]\n`
}

/**
 * Whether nothing but its size and its times is to be changed: no filter that works in memory has to see its pixels. (Nor tpad,
 * which in ffmpeg 5.1 takes no frames that lie elsewhere.)
 */
export const isPlain = (input: Picture, fades: ReadonlyArray<Fade>): boolean => {
  const { beside, framing, highlights, hold, images, picture, scripts, target } = input
  return (
    framing === null
    && beside === null
    && hold === 0
    && fades.length === 0
    && highlights === null
    && images.length === 0
    && scripts.picture.length === 0
    && picture.rotation === 0
    && !picture.interlaced
    && !isHdr(picture)
    && inputMatrix(picture) === "bt709"
    && picture.colorRange !== "pc"
    && (target.fit === "crop" || fillsWhole(picture, target))
  )
}

/** The same for frames that lie on a device, of a plain picture: `scale` is the device's own filter. */
export const deviceGraph = (input: Picture, scale: string): string => {
  const filters = [...timing(input), scale, "setsar=1", TAGGED]
  return `[0:${input.picture.streamIndex}]${filters.join(",\n")}[v]\n`
}

export interface DissolveGraphInput {
  /** As many frames of each. */
  readonly first: Picture
  readonly second: Picture
  /** Frames of the dissolve before this piece of it, and of all of it. */
  readonly at: number
  readonly of: number
  readonly pixelFormat: PixelFormat
}

/**
 * The second picture (of the second input) over the first, as opaque as it has become: (at + k + 1) / (of + 1) in frame k.
 * Both count their frames, and the end of either is the end: one that is missing makes the count wrong, not the picture.
 * (xfade goes on with the second alone when the first is short, and does not end when the second is.)
 */
export const dissolveGraph = ({ at, first, of, pixelFormat, second }: DissolveGraphInput): string => {
  const rate = first.target.frameRate
  const below = [...timing(first), "setpts=N", ...finished(first, "1")]
  const above = [
    ...timing(second),
    ...finished(second, "2"),
    `setpts=N+${at + 1}`,
    "format=yuva420p",
    `fade=t=in:st=0:d=${lasting(of + 1, rate)}:alpha=1`,
    `setpts=PTS-${at + 1}`
  ]
  return [
    `[0:${first.picture.streamIndex}]${below.join(",\n")}[below];`,
    `[1:${second.picture.streamIndex}]${above.join(",\n")}[above];`,
    `[below][above]${["overlay=format=yuv420:shortest=1", ...encodable(pixelFormat)].join(",\n")}[v]\n`
  ].join("\n")
}

/**
 * Puts source frames on the output's grid (FrameGrid.ts) and cuts the range out. `setpts` computes each frame's place
 * exactly; `fps` then only repeats and drops. `trim` has an end, so that frames missing at the start (a seek that landed
 * too late) make the count wrong instead of the picture.
 */
const timing = ({ picture, target, grid, from, to, seeked, hold }: Picture): ReadonlyArray<string> => {
  const { timeBase } = picture
  const rate = target.frameRate
  const fine = ticksPerTick(timeBase, rate)
  const perFrame = `${BigInt(rate.den) * BigInt(timeBase.den) * BigInt(fine)}/${BigInt(rate.num) * BigInt(timeBase.num)}`
  const ticks = fine === 1 ? "PTS" : `PTS/${fine}`
  const place = `floor(((${ticks}-(${grid.origin}))*${grid.scale}+(${grid.bias}))/${grid.divisor})`
  return [
    // Fields become frames, one for each that there was: it looks at the frames before and after.
    ...(picture.interlaced ? ["bwdif=mode=send_frame:parity=auto:deint=interlaced"] : []),
    `settb=${timeBase.num}/${timeBase.den * fine}`,
    `setpts='round(${place}*${perFrame})'`,
    // Where the decoder thinks that the last frame is over at once, fps would drop it: something has to follow.
    ...(hold > 0 ? [`tpad=stop_mode=clone:stop_duration=${lasting(2, rate)}`] : []),
    `fps=${rate.num}/${rate.den}:round=near${seeked ? "" : ":start_time=0"}`,
    ...(hold > 0 ? [`tpad=stop_mode=clone:stop=${hold}`] : []),
    `trim=start_pts=${from}:end_pts=${to}`,
    `setpts=PTS-${from}`
  ]
}

const seconds = (num: number, den: number): string => (num / den).toFixed(6)
/** How long so many frames are. */
const lasting = (frames: number, rate: Rational): string => seconds(frames * rate.den, rate.num)

/** How often a source's tick is divided so that a sixteenth of an output frame can be told (AVI counts in frames). */
const ticksPerTick = (timeBase: Rational, rate: Rational): number =>
  Math.max(1, Math.ceil((16 * timeBase.num * rate.num) / (timeBase.den * rate.den)))

/** The picture with all that is drawn over it; beside its source where both are shown. */
const finished = (input: Picture, name: string): ReadonlyArray<string> => {
  const { beside, highlights, images, scripts, target } = input
  const size = beside?.size ?? target
  const onPicture = [
    ...(highlights === null ? [] : [highlightFilters(highlights, size, target.frameRate, name)]),
    ...imageFilters(images, OUTPUT_COLOR.matrix, name),
    ...overlayFilters(scripts.picture, target.frameRate, `Over${name}`)
  ]
  if (beside === null) return [...look(input, name), ...onPicture]
  const sized = ({ height, width }: Size): Target => ({ ...target, width, height })
  const source: Picture = { ...input, framing: null, target: { ...sized(beside.before.picture), fit: "crop" } }
  const result: Picture = { ...input, target: sized(beside.size) }
  const filters = {
    before: look(source, name),
    after: [...look(result, name), ...onPicture]
  }
  return [beforeAfterFilters(beside, filters, name), ...overlayFilters(scripts.both, target.frameRate, `Both${name}`)]
}

/**
 * Size, square pixels, BT.709. ffmpeg has turned the picture upright before the graph sees it. `name` sets the labels
 * within it apart from those of another picture in the same graph.
 */
const look = ({ framing, picture, target }: Picture, name: string): ReadonlyArray<string> => {
  const bring = (size: Size) => [...scaled(size, picture), "setsar=1", ...toBt709(picture)]
  if (framing !== null) return [...cutOut(framing, uprightSize(picture)), ...bring(target)]
  return target.fit === "crop" ? bring(target) : fitted(picture, target, target.fit, bring, name)
}

const scaled = ({ height, width }: Size, picture: PictureInfo): ReadonlyArray<string> => {
  const matrix = SCALE_MATRIX[inputMatrix(picture) ?? "bt709"]
  return [`scale=${width}:${height}:flags=${SCALER}:in_color_matrix=${matrix}:out_color_matrix=${matrix}:out_range=tv`]
}

/** A chunk may begin within a fade: its frames are counted from the fade's start, as `fade` knows no time before 0. */
const faded = (fades: ReadonlyArray<Fade>, rate: Rational): ReadonlyArray<string> =>
  fades.flatMap(({ direction, frames, from }) => {
    const fade = `fade=t=${direction}:st=${lasting(Math.max(0, from), rate)}:d=${lasting(frames, rate)}`
    return from < 0 ? [`setpts=PTS+${-from}`, fade, `setpts=PTS-${-from}`] : [fade]
  })

const encodable = (pixelFormat: PixelFormat): ReadonlyArray<string> => [
  ...(pixelFormat === "yuv420p" ? [] : [`format=${pixelFormat}`]),
  TAGGED
]
const TAGGED = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"

export interface OutputColor {
  readonly matrix: Matrix
  readonly primaries: string
  readonly transfer: string
}

/** Every output is BT.709, and says so. */
export const OUTPUT_COLOR: OutputColor = { matrix: "bt709", primaries: "bt709", transfer: "bt709" }

/** From the colours of a picture of the output's size. */
const toBt709 = (picture: PictureInfo): ReadonlyArray<string> => {
  if (isHdr(picture)) return toneMapped(picture)
  const given = inputMatrix(picture)
  // scale can change the matrix too, by way of RGB and at twice the cost of all the rest.
  const matrix =
    given === null || given === "bt709"
      ? []
      : [`colorspace=fast=1:dither=none:space=bt709:ispace=${given}:${SAME_OTHERWISE}`]
  return ["format=yuv420p", ...matrix]
}

/** Of colour, only the matrix is changed. */
const SAME_OTHERWISE = "primaries=bt709:iprimaries=bt709:trc=bt709:itrc=bt709:range=tv:irange=tv"

/**
 * HDR into what every screen shows: to light (100 cd/m² is white), into the smaller gamut, and bright parts bent down
 * instead of cut off (Hable's curve).
 */
const toneMapped = ({ colorTransfer }: PictureInfo): ReadonlyArray<string> => [
  "format=yuv420p10le",
  `zscale=tin=${colorTransfer}:pin=bt2020:min=bt2020nc:rin=tv:t=linear:npl=100`,
  "format=gbrpf32le",
  "zscale=p=bt709",
  "tonemap=tonemap=hable:desat=0",
  "zscale=t=bt709:m=bt709:r=tv",
  "format=yuv420p"
]

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

const isHdr = ({ colorTransfer }: PictureInfo): boolean =>
  colorTransfer === "smpte2084" || colorTransfer === "arib-std-b67"

/**
 * Null for RGB, which has none: it goes straight to the output's. Where a file does not say, players take small pictures
 * for BT.601 and large ones for BT.709; ffmpeg would take all for BT.601.
 */
export const inputMatrix = (picture: PictureInfo): Matrix | null => {
  if (/rgb|bgr|gbr|pal8/.test(picture.pixelFormat)) return null
  if (isMatrix(picture.colorSpace)) return picture.colorSpace
  if (isHdr(picture)) return "bt2020nc"
  return Math.min(picture.codedWidth, picture.codedHeight) >= 720 ? "bt709" : "smpte170m"
}
