import type { Crop } from "@reelay/contracts/Edits"
import type { PictureInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Section } from "./Sections.ts"

/**
 * What of a source's frame is shown, frame by frame. Keyframes are fractions of the displayed frame at source times; here
 * they become windows in pixels, of the output's shape, for each output frame of a chunk, and then a path: few straight
 * pieces, whatever the interpolation and however many keyframes, that are never further from it than can be seen.
 */

/** Windows are told in these parts of a pixel: a quarter of the finest step that ffmpeg's perspective takes. */
export const SUBPIXELS = 1024
/** How far a path may be from the windows it stands for, in parts of a pixel: a sixteenth of one. */
const TOLERANCE = SUBPIXELS / 16
/** Around a moving window, so that bilinear sampling finds its neighbours. Pixels. */
const MARGIN = 4

export interface Size {
  readonly width: number
  readonly height: number
}

type CropKeyframe = Crop["keyframes"][number]
/** Fractions of the frame. */
type Window = Pick<CropKeyframe, "x" | "y" | "width" | "height">

/** A window when output frame `frame` (of the chunk) is shown; whole parts of a pixel. */
export interface Knot {
  readonly frame: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type Framing =
  /** Pixels, all even: where nothing moves, nobody sees a window placed to the nearest one. */
  | { readonly _tag: "still"; readonly x: number; readonly y: number; readonly width: number; readonly height: number }
  /** `box`: even pixels, which hold the largest of its windows; it is moved along by whole pixels. */
  | { readonly _tag: "moving"; readonly box: Size; readonly path: ReadonlyArray<Knot> }

/** The frame as filters see it: upright, but with its own pixels. */
export const uprightSize = ({ codedHeight, codedWidth, rotation }: PictureInfo): Size =>
  rotation % 180 === 0 ? { width: codedWidth, height: codedHeight } : { width: codedHeight, height: codedWidth }

/** Source times, in seconds from media zero, at which frames [from, to) of a section begin. */
export const timesOf = (section: Section, rate: Rational, from: number, to: number): ReadonlyArray<number> => {
  const perFrame = (rate.den * section.speed.num) / (rate.num * section.speed.den)
  return Array.from({ length: to - from }, (_, n) => section.start / 1e6 + (from + n) * perFrame)
}

/**
 * `times`: of each output frame of the chunk, ascending. `output`: the size that windows are scaled to; they are narrowed
 * to its shape about their middle.
 */
export const framingOf = (crop: Crop, picture: PictureInfo, output: Size, times: ReadonlyArray<number>): Framing => {
  const frame = uprightSize(picture)
  // Width over height, in the frame's own pixels, of what fills the output.
  const shape = ((output.width / output.height) * (frame.width / frame.height)) / (picture.width / picture.height)
  const windowAt = interpolation(crop)
  const knots = times.map((time, at): Knot => {
    const { height, width, x, y } = shaped(windowAt(time), frame, shape)
    const parts = (pixels: number) => Math.round(pixels * SUBPIXELS)
    return { frame: at, x: parts(x), y: parts(y), width: parts(width), height: parts(height) }
  })
  const path = straightened(knots)
  const [first] = path
  if (first !== undefined && path.every((knot) => distance(knot, first) === 0)) return still(first, frame)
  const largest = (side: "width" | "height") =>
    Math.min(
      evenBelow(frame[side]),
      2 * Math.ceil((Math.max(...path.map((knot) => knot[side])) / SUBPIXELS + MARGIN) / 2)
    )
  return { _tag: "moving", box: { width: largest("width"), height: largest("height") }, path }
}

const evenBelow = (value: number): number => 2 * Math.floor(value / 2)

const still = ({ height, width, x, y }: Knot, frame: Size): Framing => {
  const even = (parts: number) => 2 * Math.round(parts / SUBPIXELS / 2)
  const side = (parts: number, most: number) => Math.max(2, Math.min(even(parts), evenBelow(most)))
  const [wide, high] = [side(width, frame.width), side(height, frame.height)]
  return {
    _tag: "still",
    x: Math.min(even(x), evenBelow(frame.width - wide)),
    y: Math.min(even(y), evenBelow(frame.height - high)),
    width: wide,
    height: high
  }
}

/** The largest part of a window, about its middle, that has the shape; in pixels. */
const shaped = (window: Window, frame: Size, shape: number): Window => {
  const [width, height] = [window.width * frame.width, window.height * frame.height]
  const [wide, high] = width / height > shape ? [height * shape, height] : [width, width / shape]
  // Sides are interpolated one by one, and may together reach a hair beyond the frame.
  const within = (at: number, side: number, most: number) => Math.max(0, Math.min(at, most - side))
  return {
    x: within(window.x * frame.width + (width - wide) / 2, wide, frame.width),
    y: within(window.y * frame.height + (height - high) / 2, high, frame.height),
    width: wide,
    height: high
  }
}

const SIDES = ["x", "y", "width", "height"] as const

/**
 * The window at any source time: before the first keyframe as there, after the last as there. `smooth` goes through the
 * keyframes without a kink and without overshooting them (Fritsch and Carlson, Monotone Piecewise Cubic Interpolation,
 * SIAM J. Numer. Anal. 17, 1980), so that a window never leaves the frame.
 */
const interpolation = ({ interpolation = "linear", keyframes }: Crop): ((time: number) => Window) => {
  const keys = keyframes.toSorted((a, b) => a.time - b.time)
  const slopes = interpolation === "smooth" ? SIDES.map((side) => monotone(keys, side)) : null
  let before = 0
  return (time) => {
    // Times come in order: the place is found from the last one.
    if ((keys[before]?.time ?? 0) > time) before = 0
    while ((keys[before + 1]?.time ?? Infinity) <= time) before++
    const [from, to] = [keys[before], keys[before + 1]]
    if (from === undefined) throw new Error("a crop without keyframes")
    if (to === undefined || time <= from.time) return from
    const span = to.time - from.time
    const part = (time - from.time) / span
    const [x, y, width, height] = SIDES.map((side, i) => {
      const [a, b] = [from[side], to[side]]
      if (slopes === null) return a + (b - a) * part
      const [slopeA, slopeB] = [slopes[i]?.[before] ?? 0, slopes[i]?.[before + 1] ?? 0]
      // Cubic Hermite.
      const [p2, p3] = [part * part, part * part * part]
      return (
        (2 * p3 - 3 * p2 + 1) * a
        + (p3 - 2 * p2 + part) * span * slopeA
        + (3 * p2 - 2 * p3) * b
        + (p3 - p2) * span * slopeB
      )
    })
    return { x: x ?? 0, y: y ?? 0, width: width ?? 0, height: height ?? 0 }
  }
}

/** Slopes at the keyframes, a second, that keep each piece between its ends. */
const monotone = (keys: ReadonlyArray<CropKeyframe>, side: (typeof SIDES)[number]): ReadonlyArray<number> => {
  const secants = keys.slice(1).map((key, i) => {
    const from = keys[i]
    return from === undefined || key.time === from.time ? 0 : (key[side] - from[side]) / (key.time - from.time)
  })
  return keys.map((key, i) => {
    const [left, right] = [secants[i - 1], secants[i]]
    // It rests where it begins, ends and turns.
    if (left === undefined || right === undefined || left * right <= 0) return 0
    // The weighted harmonic mean (Fritsch and Butland, 1984): never steeper than the method allows.
    const [h0, h1] = [key.time - (keys[i - 1]?.time ?? 0), (keys[i + 1]?.time ?? 0) - key.time]
    const [w0, w1] = [2 * h1 + h0, h1 + 2 * h0]
    return (w0 + w1) / (w0 / left + w1 / right)
  })
}

const distance = (a: Knot, b: Knot): number => Math.max(...SIDES.map((side) => Math.abs(a[side] - b[side])))

/** The knots that are needed for straight pieces within the tolerance (Ramer, Douglas and Peucker). */
const straightened = (knots: ReadonlyArray<Knot>): ReadonlyArray<Knot> => {
  const [first, last] = [knots[0], knots.at(-1)]
  if (first === undefined || last === undefined || first === last) return knots
  const keep = new Set([0, knots.length - 1])
  const ranges: Array<readonly [number, number]> = [[0, knots.length - 1]]
  for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
    const [from, to] = range
    let [worst, far] = [TOLERANCE, -1]
    for (let i = from + 1; i < to; i++) {
      const [a, b, knot] = [knots[from], knots[to], knots[i]]
      if (a === undefined || b === undefined || knot === undefined) continue
      const part = (i - from) / (to - from)
      const off = Math.max(...SIDES.map((side) => Math.abs(a[side] + (b[side] - a[side]) * part - knot[side])))
      if (off > worst) [worst, far] = [off, i]
    }
    if (far < 0) continue
    keep.add(far)
    ranges.push([from, far], [far, to])
  }
  return knots.filter((_, i) => keep.has(i))
}
