import { dialogue, literal } from "./AssText.ts"
import { assAlpha, assColor, opacityOf, styleColor } from "./AssColor.ts"
import type { AssEvent, AssStyle } from "./AssScript.ts"
import type { Cue } from "./Captions.ts"
import type { Size } from "./Crop.ts"
import { fitted, shortened } from "./TextFit.ts"

/**
 * How what is drawn looks: sizes from the output's size, text within the inner 90 % of the picture (title safe), white on
 * a thin dark outline with a soft shadow, readable on any picture.
 */

/** A part of the picture, in pixels. */
export interface Rectangle extends Size {
  readonly x: number
  readonly y: number
}

/** A text family with most scripts; fontconfig puts the next best in its place, and others where it lacks a letter. */
const FONT = "Noto Sans"
const SAFE = 0.05
/** Height of a caption's line, of the output's short side. */
const CAPTION = 0.06
/** Widest caption, in heights of a line: about fifty letters, which one reads without turning one's eyes. */
const WIDEST = 20
const LABEL = 0.045
/** Of the height of a line. */
const [OUTLINE, SHADOW] = [0.055, 0.03]

const tenths = (value: number): number => Math.round(value * 10) / 10
const safe = ({ height, width }: Size) => ({ x: Math.round(width * SAFE), y: Math.round(height * SAFE) })
const captionSize = ({ height, width }: Size): number => Math.round(Math.min(width, height) * CAPTION)
const labelSize = ({ height, width }: Size): number => Math.round(Math.min(width, height) * LABEL)
const captionMargin = (size: Size): number =>
  Math.max(safe(size).x, Math.round((size.width - WIDEST * captionSize(size)) / 2))

const plain = {
  bold: false,
  italic: false,
  underline: false,
  strike: false,
  scaleX: 100,
  scaleY: 100,
  spacing: 0,
  angle: 0
}

/** The styles that events of ours name. */
export const stylesFor = (size: Size): ReadonlyArray<AssStyle> => {
  const written = (opacity: number, name: string) => styleColor(name, assAlpha(opacity))
  const { x, y } = safe(size)
  const text: AssStyle = {
    ...plain,
    name: "Caption",
    font: FONT,
    size: captionSize(size),
    color: written(1, "#ffffff"),
    secondary: written(1, "#ffffff"),
    outlineColor: written(0.9, "#000000"),
    shadowColor: written(0.5, "#000000"),
    border: 1,
    outline: tenths(captionSize(size) * OUTLINE),
    shadow: tenths(captionSize(size) * SHADOW),
    alignment: 2,
    marginLeft: captionMargin(size),
    marginRight: captionMargin(size),
    marginVertical: y,
    encoding: -1
  }
  return [
    text,
    { ...text, name: "Text", alignment: 7, marginLeft: x, marginRight: x },
    {
      ...text,
      name: "Label",
      size: labelSize(size),
      // The box around it is the outline's.
      border: 3,
      outline: Math.round(labelSize(size) / 4),
      outlineColor: written(0.6, "#000000"),
      shadow: 0,
      alignment: 7,
      marginLeft: x,
      marginRight: x
    },
    {
      ...text,
      name: "Lit",
      outline: 0,
      shadow: 0,
      alignment: 7,
      marginLeft: 0,
      marginRight: 0,
      marginVertical: 0
    }
  ]
}

type Looks = Omit<AssEvent, "from" | "to">

export const captionLook = ({ lines, place }: Cue, size: Size): Looks => {
  const height = captionSize(size)
  const { margin, tags } = placed(place, size, height)
  const fit = fitted(lines, (size.width - 2 * margin) / height)
  const all = `${tags}${fit.scale === 1 ? "" : `\\fs${Math.round(height * fit.scale)}`}`
  const text = dialogue(fit.lines)
  return {
    layer: 0,
    style: "Caption",
    ...(margin === captionMargin(size) ? {} : { margins: { left: margin, right: margin, vertical: 0 } }),
    text: all === "" ? text : `{${all}}${text}`
  }
}

interface Placed {
  readonly tags: string
  /** What is left free on either side of the width that lines may take. */
  readonly margin: number
}

const COLUMN = { left: 1, center: 2, right: 3 } as const
/** However near to an edge a caption is put: the least of the width that it gets. */
const NARROWEST = 0.25

/** A position only where a cue asks for one: others move aside for each other by themselves. */
const placed = ({ align, alignment, line, position }: Cue["place"], size: Size, height: number): Placed => {
  const margin = captionMargin(size)
  if (alignment !== null) return { tags: `\\an${alignment}`, margin }
  const column = COLUMN[align ?? "center"]
  if (line === null && position === null) return { tags: align === null ? "" : `\\an${column}`, margin }
  const { x, y } = safe(size)
  const inside = (value: number, least: number, most: number) => Math.round(Math.max(least, Math.min(most, value)))
  const usual = [x, size.width / 2, size.width - x][column - 1] ?? 0
  const across = inside(position === null ? usual : position * size.width, x, size.width - x)
  const upwards = line === null || ("count" in line && line.count < 0)
  const down =
    line === null
      ? size.height - y
      : "fraction" in line
        ? line.fraction * size.height
        : upwards
          ? size.height - y + (line.count + 1) * height
          : y + line.count * height
  const least = upwards ? y + height : y
  const most = upwards ? size.height - y : size.height - y - height
  const [before, after] = [across - x, size.width - x - across]
  const room = [after, 2 * Math.min(before, after), before][column - 1] ?? 0
  const width = Math.min(size.width - 2 * margin, Math.max(size.width * NARROWEST, room))
  return {
    tags: `\\an${upwards ? column : column + 6}\\pos(${across},${inside(down, least, most)})`,
    margin: Math.round((size.width - width) / 2)
  }
}

/** `x`, `y`: the left upper corner of its first line, fractions; `height` of a line, of the output's height. */
export const textLook = (
  text: string,
  at: { readonly x: number; readonly y: number; readonly size: number; readonly color: string },
  size: Size
): Looks => {
  const [x, y] = [Math.round(at.x * size.width), Math.round(at.y * size.height)]
  const height = Math.max(1, Math.round(at.size * size.height))
  const opacity = opacityOf(at.color)
  // What is behind a letter shows through it: a shadow would, an outline libass cuts away there.
  const shadow = opacity === 1 ? tenths(height * SHADOW) : 0
  const tags = [
    `\\pos(${x},${y})\\fs${height}\\bord${tenths(height * OUTLINE)}\\shad${shadow}`,
    `\\1c${assColor(at.color)}`,
    ...(opacity === 1 ? [] : [`\\1a&H${assAlpha(opacity)}&\\3a&H${assAlpha(0.9 * opacity)}&`])
  ].join("")
  const lines = text.split("\n").map((line) => literal(line))
  // It is broken where the picture ends, not a margin's width from where it begins.
  const right = Math.min(safe(size).x, Math.max(0, size.width - x - height))
  return {
    layer: 0,
    style: "Text",
    margins: { left: Math.max(1, x), right: Math.max(1, right), vertical: 0 },
    text: `{${tags}}${lines.join("\\N")}`
  }
}

/** A name in the left upper corner of a part of the picture (of all of it), on one line. */
export const labelLook = (text: string, size: Size, within: Rectangle = { x: 0, y: 0, ...size }): Looks => {
  const height = labelSize(size)
  const margin = safe(within)
  const room = (within.width - 2 * margin.x) / height
  return {
    layer: 0,
    style: "Label",
    text: `{\\q2\\pos(${within.x + margin.x},${within.y + margin.y})}${literal(shortened(text, room))}`
  }
}

/** What is within these paths. */
export const litLook = (paths: ReadonlyArray<string>, scale: number): Looks => ({
  layer: 0,
  style: "Lit",
  text: `{\\pos(0,0)\\p${scale}}${paths.join(" ")}`
})
