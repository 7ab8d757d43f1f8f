import type { RenderSpec, SpecClip } from "@reelay/contracts/RenderSpec"
import type { Painted } from "./AssColor.ts"
import { type BeforeAfter, beforeAfter, beforeAfterLabels } from "./BeforeAfter.ts"
import { imageFacts, type ShownImage } from "./ImageOverlay.ts"
import { drawingOf } from "./OverlayTimeline.ts"
import type { Section } from "./Sections.ts"
import { sourceOf } from "./Spec.ts"
import type { CanonicalObject } from "./TaskKey.ts"

/** For the frames of one chunk, in this order: each is drawn over what the one before it left. */
export interface DrawnOver {
  /** A mask: the picture is dimmed but for what this script draws. Null: it is not. */
  readonly highlights: string | null
  readonly images: ReadonlyArray<ShownImage>
  /** Scripts over the clip's picture. */
  readonly picture: ReadonlyArray<Painted>
  /** Over source and result together; none where only the result is shown. */
  readonly both: ReadonlyArray<Painted>
}

export interface ClipOverlays {
  /** Where source and result are, in an export of both. */
  readonly beside: BeforeAfter | null
  over(section: Section, from: number, to: number): DrawnOver
}

/** What an export draws over a clip's frames. Reads its captions once: to be kept while they are asked for chunk by chunk. */
export const clipOverlays = (spec: RenderSpec, clip: SpecClip): ClipOverlays => {
  const { target, type } = spec
  const { picture } = sourceOf(spec, clip).media
  const size = { width: target.width, height: target.height }
  const beside = type === "before_after" ? beforeAfter(picture, size) : null
  const drawing = drawingOf(clip, type, beside?.size ?? size, target.frameRate, spec.images)
  return {
    beside,
    over: (section, from, to) => ({
      highlights: drawing.highlights(section, from, to),
      images: drawing.images(section, from, to),
      picture: drawing.scripts(section, from, to),
      both: beside === null ? [] : [beforeAfterLabels(beside, size, to - from)]
    })
  }
}

/** What of it a chunk's key covers: all that it shows. Nothing is said where nothing is drawn. */
export const drawnFacts = ({ both, highlights, images, picture }: DrawnOver): CanonicalObject => ({
  ...(highlights === null ? {} : { highlights }),
  ...(images.length === 0 ? {} : { images: images.map(imageFacts) }),
  ...(picture.length === 0 ? {} : { drawn: picture.map(written) }),
  ...(both.length === 0 ? {} : { beside: both.map(written) })
})

const written = ({ chroma, text }: Painted) => (chroma === null ? text : [text, chroma])
