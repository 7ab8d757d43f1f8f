import type { Overlay } from "@reelay/contracts/Edits"
import type { Size } from "./Crop.ts"
import type { Rectangle } from "./OverlayLook.ts"

/**
 * Pictures with transparency over the picture, each an input of its own. Not offered yet (OverlayLimits.ts refuses them):
 * nothing takes in pictures that do not move.
 */
export type Image = Extract<Overlay, { readonly type: "image" }>

/** Where it goes: as wide as it says, of its own shape. Even pixels, as colours of yuv420p come by fours. */
export const imagePlace = ({ width, x, y }: Image, image: Size, output: Size): Rectangle => {
  const even = (value: number, least: number) => Math.max(least, 2 * Math.round(value / 2))
  const wide = even(width * output.width, 2)
  return {
    x: even(x * output.width, 0),
    y: even(y * output.height, 0),
    width: wide,
    height: even((wide * image.height) / image.width, 2)
  }
}

export interface DrawnImage {
  /** Label of its input, e.g. `1:v`. */
  readonly input: string
  readonly place: Rectangle
  readonly opacity: number
  /** Frames of the chunk, [from, to). */
  readonly from: number
  readonly to: number
}

/**
 * A piece of a chain that draws images over a picture in yuv420p, the first one lowest. `matrix` is the picture's by scale's
 * name. An image is one frame; the filter goes on with it to the end.
 */
export const imageFilters = (images: ReadonlyArray<DrawnImage>, matrix: string): ReadonlyArray<string> =>
  images.map(({ from, input, opacity, place, to }, i) => {
    const filters = [
      // Scaled as light, so that colours of what is not seen do not bleed into what is.
      "format=gbrap",
      "premultiply=inplace=1",
      `scale=${place.width}:${place.height}:flags=${SCALER}`,
      "unpremultiply=inplace=1",
      `scale=flags=${SCALER}:out_color_matrix=${matrix}:out_range=tv`,
      "format=yuva420p",
      ...(opacity === 1 ? [] : [`lutyuv=a=val*${Number(opacity.toFixed(4))}`])
    ]
    return (
      `null[under${i}];\n[${input}]${filters.join(",\n")}[image${i}];\n`
      + `[under${i}][image${i}]overlay=${place.x}:${place.y}:format=yuv420:enable='between(n,${from},${to - 1})'`
    )
  })

const SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
