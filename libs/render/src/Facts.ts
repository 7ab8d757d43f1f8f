import type { PictureInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import type { SpecClip, SpecSource, Target } from "@reelay/contracts/RenderSpec"
import { framingOf } from "./Crop.ts"
import { sectionsOf } from "./Sections.ts"
import type { Canonical } from "./TaskKey.ts"
import { samplesBefore } from "./Timeline.ts"

/** What of a spec goes into task keys: all that a piece of picture or sound depends on, and nothing else. */

/** What of a source its picture depends on. The facts beside the digest are readings that a later ingest may mend. */
export const pictureFacts = ({ sha256, media: { picture } }: SpecSource): Canonical => ({
  sha256,
  stream: picture.streamIndex,
  timeBase: { ...picture.timeBase },
  zero: picture.zeroPts,
  color: [picture.colorRange, picture.colorSpace, picture.colorTransfer, picture.colorPrimaries],
  size: [picture.width, picture.height],
  interlaced: picture.interlaced
})

/** What of the picture is shown, as the frames of this chunk show it: a later keyframe is none of its business. */
export const shownFacts = (
  { crop }: SpecClip,
  picture: PictureInfo,
  target: Target,
  times: ReadonlyArray<number>
): Canonical => {
  if (crop === null) return target.fit
  const framing = framingOf(crop, picture, target, times)
  if (framing._tag === "still") return [framing.x, framing.y, framing.width, framing.height]
  return framing.path.map(({ frame, height, width, x, y }) => [frame, x, y, width, height])
}

/** Where a clip's sound is cut, and how fast each piece goes. At the usual speed all through, only the start matters. */
const sectionFacts = (clip: SpecClip, rate: Rational): Canonical => {
  const sections = sectionsOf(clip, rate)
  if (sections.every(({ speed }) => speed.num === speed.den)) return clip.start
  return sections.map(({ end, first, speed, start }) => [start, end, speed.num, samplesBefore(first, rate)])
}

/** Null where a clip has no sound: silence is silence. */
export const heardFacts = (
  { sha256, media: { picture, sound } }: SpecSource,
  clip: SpecClip,
  rate: Rational
): Canonical =>
  sound === null
    ? null
    : {
        sha256,
        stream: sound.streamIndex,
        channels: sound.channels,
        timeBase: { ...picture.timeBase },
        zero: picture.zeroPts,
        sections: sectionFacts(clip, rate)
      }
