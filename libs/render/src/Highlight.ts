import type { Overlay } from "@reelay/contracts/Edits"
import type { Rational } from "@reelay/contracts/Quantity"
import { drawn, onScriptClock } from "./AssScript.ts"
import type { Size } from "./Crop.ts"

/**
 * Highlights: the picture is dimmed but for what they ring. All of it is dimmed by a table, and the picture as it was is
 * laid over that through a mask, on which libass draws the shapes: to have it dim what is around them would mean to blend
 * nearly every pixel, without any SIMD, which takes two and a half times as long. Where several are shown at once, what any
 * of them rings is left as it is.
 */

export type Highlight = Extract<Overlay, { readonly type: "highlight" }>
type Window = Pick<Highlight["keyframes"][number], "x" | "y" | "width" | "height">

/** Drawings are told in sixteenths of a pixel: `\p5` halves four times. */
const SUBPIXELS = 16
export const DRAWING_SCALE = 5
/** What is left of the light around them. */
const DIMMED = 0.4
/** From the middle of an arc's end to its control point (a quarter of a circle as a cubic). */
const ARC = 0.5522847498

/** Seconds within which it is shown: all the time with one keyframe, else from the first to the last. */
export const shownBetween = ({ keyframes }: Highlight): { readonly start: number; readonly end: number } | null => {
  if (keyframes.length === 1) return null
  const times = keyframes.map((key) => key.time)
  return { start: Math.min(...times), end: Math.max(...times) }
}

/** The shape at times of the source, in order, as a path of libass: straight between keyframes, as before and after. */
export const shapes = (
  { keyframes, shape }: Highlight,
  times: ReadonlyArray<number>,
  size: Size
): ReadonlyArray<string> => {
  const keys = keyframes.toSorted((a, b) => a.time - b.time)
  let before = 0
  return times.map((time) => {
    while ((keys[before + 1]?.time ?? Infinity) <= time) before++
    const [from, to] = [keys[before], keys[before + 1]]
    if (from === undefined) throw new Error("a highlight without keyframes")
    const window =
      to === undefined || time <= from.time ? from : between(from, to, (time - from.time) / (to.time - from.time))
    return PATHS[shape](inParts(window, size))
  })
}

const between = (from: Window, to: Window, part: number): Window => {
  const side = (name: keyof Window) => from[name] + (to[name] - from[name]) * part
  return { x: side("x"), y: side("y"), width: side("width"), height: side("height") }
}

interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

const inParts = ({ height, width, x, y }: Window, size: Size): Box => {
  const [across, down] = [size.width * SUBPIXELS, size.height * SUBPIXELS]
  return {
    left: Math.round(x * across),
    top: Math.round(y * down),
    right: Math.round((x + width) * across),
    bottom: Math.round((y + height) * down)
  }
}

const rectangle = ({ bottom, left, right, top }: Box): string =>
  `m ${left} ${top} l ${right} ${top} ${right} ${bottom} ${left} ${bottom}`

const ellipse = ({ bottom, left, right, top }: Box): string => {
  const [x, y] = [Math.round((left + right) / 2), Math.round((top + bottom) / 2)]
  const [dx, dy] = [Math.round(((right - left) / 2) * ARC), Math.round(((bottom - top) / 2) * ARC)]
  return (
    `m ${left} ${y} b ${left} ${y - dy} ${x - dx} ${top} ${x} ${top} ${x + dx} ${top} ${right} ${y - dy} ${right} ${y} `
    + `${right} ${y + dy} ${x + dx} ${bottom} ${x} ${bottom} ${x - dx} ${bottom} ${left} ${y + dy} ${left} ${y}`
  )
}

const PATHS = { rectangle, ellipse } as const

/** All of the picture: where none is shown, all of it is. */
export const everything = (size: Size): string => rectangle(inParts({ x: 0, y: 0, width: 1, height: 1 }, size))

/**
 * A piece of a chain that dims a picture in yuv420p but for what the script at `path` draws in white. Frames have to come
 * counted from 0. `name` sets its labels apart from another's in the same graph.
 */
export const highlightFilters = (path: string, size: Size, rate: Rational, name = ""): string => {
  const dimmed = (from: number) => `${from}+(val-${from})*${DIMMED}`
  const mask = [
    `color=black:s=${size.width}x${size.height}:r=${rate.num}/${rate.den}`,
    "format=gray",
    ...onScriptClock([drawn(path)], rate),
    "lutyuv=y=(val-16)*255/219"
  ]
  return (
    `split[lit${name}][base${name}];\n[base${name}]lutyuv=y=${dimmed(16)}:u=${dimmed(128)}:v=${dimmed(128)}[dim${name}];\n`
    + `${mask.join(",\n")}[mask${name}];\n[lit${name}][mask${name}]alphamerge=shortest=1[ringed${name}];\n`
    + `[dim${name}][ringed${name}]overlay=format=yuv420:shortest=1`
  )
}
