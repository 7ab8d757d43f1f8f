import type { Target } from "@reelay/contracts/RenderSpec"
import { type Framing, type Knot, type Size, SUBPIXELS } from "./Crop.ts"

/** Bit-exact on every machine: no approximating SIMD paths, chroma interpolated in full. */
export const SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"

/** Of what is cut out, before it is scaled. `frame`: the upright frame, in its own pixels. */
export const cutOut = (framing: Framing, frame: Size): ReadonlyArray<string> => {
  // Windows are in pixels of this size, also where a stream changes its own; nothing is done where it does not.
  const constant = `scale=${frame.width}:${frame.height}`
  if (framing._tag === "still") {
    const { height, width, x, y } = framing
    return [constant, `crop=${width}:${height}:${x}:${y}`]
  }
  const { box, path } = framing
  // Two steps, because perspective alone would work on the whole frame: a box that follows by whole (even) pixels, and
  // what is left within it.
  const whole = (side: "x" | "y", n: string, most: number) => `min(2*floor((${pathOf(path, side, n)})/2),${most})`
  const [mostX, mostY] = [
    2 * Math.floor((frame.width - box.width) / 2),
    2 * Math.floor((frame.height - box.height) / 2)
  ]
  const near = (side: "x" | "y", most: number, extent: "width" | "height") => {
    // perspective takes pixels by their corners, where their colour is that of their middle.
    const step = `(${pathOf(path, extent, "(in-1)")})/${box[extent]}`
    return `(${pathOf(path, side, "(in-1)")})-${whole(side, "(in-1)", most)}+0.5*${step}-0.5`
  }
  const far = (side: "x" | "y", most: number, extent: "width" | "height") =>
    `${near(side, most, extent)}+(${pathOf(path, extent, "(in-1)")})`
  const [left, top] = [near("x", mostX, "width"), near("y", mostY, "height")]
  const [right, bottom] = [far("x", mostX, "width"), far("y", mostY, "height")]
  return [
    constant,
    `crop=${box.width}:${box.height}:x='${whole("x", "n", mostX)}':y='${whole("y", "n", mostY)}'`,
    `perspective=x0='${left}':y0='${top}':x1='${right}':y1='${top}':x2='${left}':y2='${bottom}':x3='${right}':y3='${bottom}'`
      + ":sense=source:interpolation=linear:eval=frame"
  ]
}

/**
 * A side of the window as an expression of frame `n`. A tree of comparisons, for ffmpeg's parser goes no deeper than a
 * hundred levels and reads all of it for each frame.
 */
const pathOf = (path: ReadonlyArray<Knot>, side: "x" | "y" | "width" | "height", n: string): string => {
  const values = path.map((knot) => ({ frame: knot.frame, value: knot[side] / SUBPIXELS }))
  const piece = (from: number, to: number): string => {
    if (to - from > 1) {
      const middle = (from + to) >> 1
      const [left, right] = [piece(from, middle), piece(middle, to)]
      return left === right ? left : `if(lt(${n},${values[middle]?.frame ?? 0}),${left},${right})`
    }
    const [a, b] = [values[from], values[to]]
    if (a === undefined || b === undefined || a.value === b.value) return number(a?.value ?? 0)
    return `${number(a.value)}+(${n}-${a.frame})*${number((b.value - a.value) / (b.frame - a.frame))}`
  }
  return piece(0, values.length - 1)
}

/** Nine digits after the point: exact enough for a path's whole length. */
const number = (value: number): string => String(Number(value.toFixed(9)))

/** Whether a picture that is fitted into the output leaves nothing of it free. */
export const fillsWhole = (picture: Size, output: Size): boolean => {
  const inner = within(picture, output)
  return inner.width === output.width && inner.height === output.height
}

/**
 * A picture of the size that fits into the output, on black or on itself, blurred. `bring`: the filters that bring a
 * source's frame to a size; `name` sets its labels apart.
 */
export const fitted = (
  picture: Size,
  output: Size,
  fit: Exclude<Target["fit"], "crop">,
  bring: (size: Size) => ReadonlyArray<string>,
  name: string
): ReadonlyArray<string> => {
  if (fillsWhole(picture, output)) return bring(output)
  const inner = within(picture, output)
  const [x, y] = [evenHalf(output.width - inner.width), evenHalf(output.height - inner.height)]
  if (fit === "pad") return [...bring(inner), `pad=${output.width}:${output.height}:${x}:${y}:black`]
  // Blurred small: an eighth of the size takes a sixty-fourth of the work, and nobody sees it.
  const small = { width: eighth(output.width), height: eighth(output.height) }
  const cover = around(picture, small)
  return [
    `split[near${name}][far${name}];[far${name}]${bring(cover).join(",")},crop=${small.width}:${small.height},gblur=sigma=${BLUR},`
      + `scale=${output.width}:${output.height}:flags=${SCALER},setsar=1[back${name}];\n`
      + `[near${name}]${bring(inner).join(",")}[front${name}];\n[back${name}][front${name}]overlay=${x}:${y}:format=yuv420`
  ]
}

/** Pixels of the small picture. */
const BLUR = 4

const even = (value: number): number => Math.max(2, 2 * Math.round(value / 2))
const evenHalf = (value: number): number => 2 * Math.floor(value / 4)
/** Never as narrow as 16: at eight pixels (of colour) gblur in ffmpeg 5.1 reads memory that nobody wrote. */
const eighth = (value: number): number => Math.max(32, even(value / 8))

/** The largest even size of the picture's shape within the output. */
const within = (picture: Size, output: Size): Size => {
  const factor = Math.min(output.width / picture.width, output.height / picture.height)
  return {
    width: Math.min(output.width, even(picture.width * factor)),
    height: Math.min(output.height, even(picture.height * factor))
  }
}

/** The smallest even size of the picture's shape that covers another. */
const around = (picture: Size, size: Size): Size => {
  const factor = Math.max(size.width / picture.width, size.height / picture.height)
  return {
    width: Math.max(size.width, even(picture.width * factor)),
    height: Math.max(size.height, even(picture.height * factor))
  }
}
