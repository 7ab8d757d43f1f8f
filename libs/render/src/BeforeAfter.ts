import type { Painted } from "./AssColor.ts"
import { assText } from "./AssScript.ts"
import type { Size } from "./Crop.ts"
import { labelLook, type Rectangle, stylesFor } from "./OverlayLook.ts"

/**
 * Source and result in one picture of the output's size: side by side, or one above the other where both become larger
 * that way.
 */
export interface BeforeAfter {
  readonly arrangement: "hstack" | "vstack"
  /** Of the result: what it is framed for. */
  readonly size: Size
  /** The half of the output that each has, and within it (from its corner) where its picture is. Pixels, all even. */
  readonly before: Panel
  readonly after: Panel
}
interface Panel {
  readonly at: Rectangle
  readonly picture: Rectangle
}

/** `source`: as displayed, in square pixels. The result has the output's shape. */
export const beforeAfter = (source: Size, output: Size): BeforeAfter => {
  const sideBySide = arranged("hstack", source, output)
  const stacked = arranged("vstack", source, output)
  return smaller(stacked) > smaller(sideBySide) ? stacked : sideBySide
}

const smaller = ({ after, before }: BeforeAfter): number => Math.min(area(before.picture), area(after.picture))
const area = ({ height, width }: Size): number => width * height

const arranged = (arrangement: BeforeAfter["arrangement"], source: Size, output: Size): BeforeAfter => {
  const { height, width } = output
  const [left, top] = arrangement === "hstack" ? [evenHalf(width), 0] : [0, evenHalf(height)]
  const first = { x: 0, y: 0, width: left === 0 ? width : left, height: top === 0 ? height : top }
  const second = { x: left, y: top, width: width - left, height: height - top }
  const panel = (at: Rectangle, shape: Size): Panel => ({ at, picture: within(shape, at) })
  const after = panel(second, output)
  const size = { width: after.picture.width, height: after.picture.height }
  return { arrangement, size, before: panel(first, source), after }
}

/** The largest even picture of a shape, in the middle. */
const within = (shape: Size, panel: Size): Rectangle => {
  const factor = Math.min(panel.width / shape.width, panel.height / shape.height)
  const side = (of: "width" | "height") => Math.min(panel[of], Math.max(2, 2 * Math.round((shape[of] * factor) / 2)))
  const [width, height] = [side("width"), side("height")]
  return { x: evenHalf(panel.width - width), y: evenHalf(panel.height - height), width, height }
}

const evenHalf = (value: number): number => 2 * Math.floor(value / 4)

/**
 * A piece of a chain, from the source's frames to both pictures in one. `before` and `after` are the filters that bring a
 * frame to the sizes that `BeforeAfter` says, in yuv420p; `name` sets its labels apart from another's in the same graph.
 */
export const beforeAfterFilters = (
  { after, arrangement, before }: BeforeAfter,
  filters: { readonly before: ReadonlyArray<string>; readonly after: ReadonlyArray<string> },
  name = ""
): string => {
  const pad = ({ at, picture }: Panel) => `pad=${at.width}:${at.height}:${picture.x}:${picture.y}:black`
  return (
    `split[source${name}][edited${name}];\n[source${name}]${[...filters.before, pad(before)].join(",\n")}[before${name}];\n`
    + `[edited${name}]${[...filters.after, pad(after)].join(",\n")}[after${name}];\n`
    + `[before${name}][after${name}]${arrangement}`
  )
}

/** A script that says which is which in so many frames of a chunk, to be drawn over both. */
export const beforeAfterLabels = ({ after, before }: BeforeAfter, size: Size, frames: number): Painted => {
  const label = (text: string, { at, picture }: Panel) => ({
    ...labelLook(text, size, { ...picture, x: at.x + picture.x, y: at.y + picture.y }),
    from: 0,
    to: frames
  })
  return assText({
    resolution: size,
    wrap: 0,
    scaledBorder: true,
    styles: stylesFor(size),
    events: [label("Before", before), label("After", after)]
  })
}
