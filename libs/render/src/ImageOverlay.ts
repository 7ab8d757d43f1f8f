import type { Overlay } from "@reelay/contracts/Edits"
import type { SpecImage } from "@reelay/contracts/RenderSpec"
import type { Size } from "./Crop.ts"
import { SCALER } from "./FramingGraph.ts"
import type { Rectangle } from "./OverlayLook.ts"

/**
 * Pictures with transparency over the picture, each an input of its own: PNGs that Reelay made of what came (the api's
 * ImageIngest), so that nobody's own bytes come near an encoder.
 */
export type Image = Extract<Overlay, { readonly type: "image" }>

/** One that a chunk shows. */
export interface ShownImage {
  readonly image: SpecImage
  readonly place: Place
  readonly opacity: number
  /** Frames of the chunk, [from, to). */
  readonly from: number
  readonly to: number
}

export interface Place extends Rectangle {
  /** Rows of the image that lie within the picture; the rest is cut off before anything is scaled. */
  readonly rows: number
}

/**
 * Where it goes: as wide as it says, of its own shape. Even pixels, as colours of yuv420p come by fours. Null: nowhere, it
 * lies beyond the picture's edge.
 */
export const imagePlace = ({ width, x, y }: Image, image: Size, output: Size): Place | null => {
  const even = (value: number, least: number) => Math.max(least, 2 * Math.round(value / 2))
  const [left, top, wide] = [even(x * output.width, 0), even(y * output.height, 0), even(width * output.width, 2)]
  if (left >= output.width || top >= output.height) return null
  const high = (wide * image.height) / image.width
  const room = output.height - top
  // A strip that is a thousand times as high as wide must not become a picture of that size.
  const rows = high <= room ? image.height : Math.min(image.height, Math.ceil((image.height * room) / high))
  return { x: left, y: top, width: wide, height: even((wide * rows) / image.width, 2), rows }
}

/** Scaled as light, so that colours of what is not seen do not bleed into what is. */
export const imageScaling = ({ height, width }: Size): ReadonlyArray<string> => [
  "format=gbrap",
  "premultiply=inplace=1",
  `scale=${width}:${height}:flags=${SCALER}`,
  "unpremultiply=inplace=1"
]

/** What of it a chunk's key covers. */
export const imageFacts = ({ from, image, opacity, place, to }: ShownImage) => ({
  sha256: image.sha256,
  place: [place.x, place.y, place.width, place.height, place.rows],
  opacity: Math.round(opacity * OPACITIES),
  from,
  to
})

/** That there are: as finely as an encoder is told. */
const OPACITIES = 10_000

/** An image with the label of its input, e.g. `1:v`. */
export interface DrawnImage extends Omit<ShownImage, "image"> {
  readonly input: string
}

/**
 * A piece of a chain that draws images over a picture in yuv420p, the first one lowest. `matrix` is the picture's by scale's
 * name; `name` sets its labels apart from another's in the same graph. An image is one frame; the filter goes on with it to
 * the end.
 */
export const imageFilters = (images: ReadonlyArray<DrawnImage>, matrix: string, name = ""): ReadonlyArray<string> =>
  images.map(({ from, input, opacity, place, to }, i) => {
    const filters = [
      `crop=iw:${place.rows}:0:0`,
      ...imageScaling(place),
      `scale=flags=${SCALER}:out_color_matrix=${matrix}:out_range=tv`,
      "format=yuva420p",
      ...(opacity === 1 ? [] : [`lutyuv=a=val*${Math.round(opacity * OPACITIES) / OPACITIES}`])
    ]
    const label = `${name}${i}`
    return (
      `null[under${label}];\n[${input}]${filters.join(",\n")}[image${label}];\n[under${label}][image${label}]`
      + `overlay=${place.x}:${place.y}:format=yuv420:enable='between(n,${from},${to - 1})'`
    )
  })
