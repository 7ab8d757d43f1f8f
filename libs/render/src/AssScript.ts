import type { Rational } from "@reelay/contracts/Quantity"
import { painted, type Painted } from "./AssColor.ts"
import type { Size } from "./Crop.ts"

/**
 * A script as libass reads it, in frames. A chunk's frames go past the `ass` filter on a clock of their own, a tenth of
 * a second each and a little after the full tenth, on which events begin and end. So what is seen when depends on nothing
 * but whole numbers: neither on the rate (libass knows hundredths, an output may have 240 frames a second) nor on how
 * ffmpeg rounds.
 */

/** Milliseconds that a frame takes on the script's clock. */
export const FRAME_MILLIS = 100
/** How far into its time a frame is looked at: what ffmpeg may lose when it reckons milliseconds. */
const AFTER_MILLIS = 1
/** The chunk's first frame on that clock, in frames: an event that is under way has begun before it. */
const FIRST = 36_000

export interface AssEvent {
  readonly layer: number
  /** Frames of the chunk, [from, to). Of what moves or fades tenths of frames count too, and `from` may be below 0. */
  readonly from: number
  readonly to: number
  readonly style: string
  /** Pixels; 0: the style's. */
  readonly margins?: { readonly left: number; readonly right: number; readonly vertical: number }
  /** As libass reads it: escaped (AssText.ts) or filtered (AssCaptions.ts). */
  readonly text: string
}

export interface AssStyle {
  readonly name: string
  readonly font: string
  /** Height of a line. */
  readonly size: number
  /** `&Haabbggrr` */
  readonly color: string
  readonly secondary: string
  readonly outlineColor: string
  readonly shadowColor: string
  readonly bold: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly strike: boolean
  readonly scaleX: number
  readonly scaleY: number
  readonly spacing: number
  readonly angle: number
  /** 1: outline and shadow; 3: a box in the outline's colour. */
  readonly border: number
  readonly outline: number
  readonly shadow: number
  /** As on a numeric keypad. */
  readonly alignment: number
  readonly marginLeft: number
  readonly marginRight: number
  readonly marginVertical: number
  /** −1: each paragraph finds its direction by its letters. */
  readonly encoding: number
}

export interface AssScript {
  /** In which positions and sizes are told: the output's own size for what we draw. */
  readonly resolution: Size
  /** 0: balanced lines. */
  readonly wrap: number
  readonly scaledBorder: boolean
  readonly styles: ReadonlyArray<AssStyle>
  readonly events: ReadonlyArray<AssEvent>
}

/** Of styles it has what is drawn: a colour that nobody sees must not decide how the others are. */
export const assText = ({ events, resolution, scaledBorder, styles, wrap }: AssScript): Painted => {
  const named = new Set(events.map((event) => event.style))
  const resets = events.filter(({ text }) => text.includes("\\r"))
  const used = styles.filter(({ name }) => named.has(name) || resets.some(({ text }) => text.includes(`\\r${name}`)))
  const sung = events.some(({ text }) => /\\k/iu.test(text))
  const lines = [
    "[Script Info]",
    "ScriptType: v4.00+",
    `PlayResX: ${resolution.width}`,
    `PlayResY: ${resolution.height}`,
    `WrapStyle: ${wrap}`,
    `ScaledBorderAndShadow: ${scaledBorder ? "yes" : "no"}`,
    "",
    "[V4+ Styles]",
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
      + "StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, "
      + "Encoding",
    ...used.map((style) => styleLine(style, sung)),
    "",
    "[Events]",
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
    ...events.map(eventLine),
    ""
  ]
  return painted(lines.join("\n"))
}

/** The secondary colour is that of what is not sung yet. */
const styleLine = (s: AssStyle, sung: boolean): string => {
  const switches = [s.bold, s.italic, s.underline, s.strike].map((on) => (on ? -1 : 0))
  const colors = [s.color, sung ? s.secondary : s.color, s.outlineColor, s.shadowColor]
  const shape = [s.scaleX, s.scaleY, s.spacing, s.angle, s.border, s.outline, s.shadow, s.alignment]
  const margins = [s.marginLeft, s.marginRight, s.marginVertical]
  return `Style: ${[s.name, s.font, s.size, ...colors, ...switches, ...shape, ...margins, s.encoding].join(",")}`
}

const eventLine = ({ from, layer, margins, style, text, to }: AssEvent): string => {
  const { left, right, vertical } = margins ?? { left: 0, right: 0, vertical: 0 }
  return `Dialogue: ${layer},${clock(from)},${clock(to)},${style},,${left},${right},${vertical},,${text}`
}

const clock = (frame: number): string => {
  const hundredths = Math.max(0, Math.round(((FIRST + frame) * FRAME_MILLIS) / 10))
  const two = (value: number) => String(value).padStart(2, "0")
  const seconds = Math.floor(hundredths / 100)
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${two(hundredths % 100)}`
}

/** `filters` on the scripts' clock, of frames that are counted from 0; they come out counted in 1/`rate`. */
export const onScriptClock = (filters: ReadonlyArray<string>, rate: Rational): ReadonlyArray<string> => [
  "settb=1/1000",
  `setpts=(N+${FIRST})*${FRAME_MILLIS}+${AFTER_MILLIS}`,
  ...filters,
  `settb=${rate.den}/${rate.num}`,
  "setpts=N"
]

export const drawn = (path: string): string => `ass=filename=${filterValue(path)}`

/**
 * Filters that draw scripts (by the paths of the files that hold them) over a chunk's frames, for a chain: the first frame
 * to come has to be the chunk's first. Takes and gives yuv420p, limited range, BT.709; frames come out counted in
 * 1/`rate`, from 0. `name` sets its labels apart from another's in the same graph.
 */
export const overlayFilters = (paths: ReadonlyArray<Painted>, rate: Rational, name: string): ReadonlyArray<string> =>
  paths.length === 0
    ? []
    : [
        // Colours are reckoned by this matrix (AssColor.ts); newer ones would take the frame's own.
        "setparams=range=tv:colorspace=smpte170m",
        ...onScriptClock(
          paths.map(({ chroma, text }, i) => (chroma === null ? drawn(text) : apart(text, chroma, `${name}${i}`))),
          rate
        ),
        "setparams=range=tv:colorspace=bt709"
      ]

/** The light of one picture, the colours of another, both taken for of full range while they are drawn (AssColor.ts). */
const apart = (light: string, color: string, name: string): string =>
  `setparams=range=pc,format=yuvj420p,split[light${name}][color${name}];\n[light${name}]${drawn(light)}[lighted${name}];\n`
  + `[color${name}]${drawn(color)}[colored${name}];\n`
  + `[lighted${name}][colored${name}]mergeplanes=0x001112:yuv420p,setparams=range=tv`

/** A value of a filter's option: what filters take apart, then what graphs take apart, and blanks, which they trim. */
export const filterValue = (value: string): string =>
  value.replace(/[\\':]/gu, (sign) => `\\${sign}`).replace(/[\\'[\],;\s]/gu, (sign) => `\\${sign}`)
