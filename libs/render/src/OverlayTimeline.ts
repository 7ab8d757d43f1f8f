import type { ExportType } from "@reelay/contracts/Export"
import { microsOf, type Rational } from "@reelay/contracts/Quantity"
import type { SpecClip, SpecImage } from "@reelay/contracts/RenderSpec"
import type { Painted } from "./AssColor.ts"
import { type AssEvent, type AssScript, assText } from "./AssScript.ts"
import { shown } from "./AssText.ts"
import { type Size, timesOf } from "./Crop.ts"
import { DRAWING_SCALE, everything, type Highlight, shapes, shownBetween } from "./Highlight.ts"
import { imagePlace, type ShownImage } from "./ImageOverlay.ts"
import { captionLook, labelLook, litLook, stylesFor, textLook } from "./OverlayLook.ts"
import { captionTrack, overlayRefusal, trackRefusal } from "./OverlayLimits.ts"
import type { Section } from "./Sections.ts"
import { floorDivide } from "./Timeline.ts"
import { userEvents, type UserScript } from "./AssCaptions.ts"

/**
 * What is drawn over a clip's picture, chunk by chunk. All times are the source's, as those of crops and speeds are, so
 * that captions stay with what they say whatever is cut off before them and however fast it runs. Places are fractions of
 * the finished picture.
 */
export interface Drawing {
  /** What is to be left as it is in these frames while the rest is dimmed, as a script for a mask; null: nothing is dimmed. */
  highlights(section: Section, from: number, to: number): string | null
  /**
   * Scripts for frames [from, to) of a section, to be drawn one over the other: mostly one, none when nothing is shown.
   * They hold what these frames show and nothing else, so they are also what their task's key covers.
   */
  scripts(section: Section, from: number, to: number): ReadonlyArray<Painted>
  /** Images on these frames, the lowest first. Scripts lie above them. */
  images(section: Section, from: number, to: number): ReadonlyArray<ShownImage>
}

interface Span {
  /** Whole microseconds from media zero. */
  readonly start: number
  readonly end: number
}
/** Something that is shown for a while; null: all the time. */
interface Item {
  readonly during: Span | null
  readonly look: Omit<AssEvent, "from" | "to">
}

/** What shows a clip's overlays; `before_after` in the part that shows the result. */
const DRAWN: ReadonlySet<ExportType> = new Set(["overlay", "before_after"])

/**
 * For a picture of a size. Reads everything once; `scripts` of the result is cheap. Throws for what acceptance refuses
 * (OverlayLimits.ts).
 */
export const drawingOf = (
  clip: Pick<SpecClip, "name" | "overlays">,
  type: ExportType,
  size: Size,
  rate: Rational,
  /** Those that overlays may name. */
  given: ReadonlyArray<SpecImage> = []
): Drawing => {
  const items: Array<Item> = []
  const highlights: Array<Highlight> = []
  const users: Array<UserScript> = []
  const images: Array<Omit<ShownImage, "from" | "to"> & { readonly during: Span }> = []
  for (const overlay of DRAWN.has(type) ? clip.overlays : []) {
    if (overlay.type === "highlight") highlights.push(overlay)
    else if (overlay.type === "captions") {
      const track = captionTrack(overlay)
      refuse(trackRefusal(track, overlay.text))
      if (track._tag === "script") users.push(track.script)
      else items.push(...track.cues.map((cue) => ({ during: cue, look: captionLook(cue, size) })))
    } else {
      refuse(overlayRefusal(overlay))
      const during = { start: microsOf(overlay.start), end: microsOf(overlay.end) }
      if (overlay.type === "text") items.push({ during, look: textLook(shown(overlay.text), overlay, size) })
      else {
        const image = given.find(({ imageId }) => imageId === overlay.imageId)
        if (image === undefined) throw new Error("an overlay shows an image that the spec does not have")
        const place = imagePlace(overlay, image, size)
        if (place !== null) images.push({ image, place, opacity: overlay.opacity ?? 1, during })
      }
    }
  }
  if (type === "annotate") items.push({ during: null, look: labelLook(clip.name, size) })
  const styles = stylesFor(size)

  /** The frames of a chunk at which something is shown, and those of them that it has. */
  const during = (section: Section, from: number, to: number) => {
    const placed = placement(section, rate, from, to)
    const within = (span: Span): Frames | null => {
      const when = placed(span)
      return when === null ? null : { from: Math.max(0, when.from), to: Math.min(to - from, when.to) }
    }
    return { placed, within }
  }

  const scriptOf = (events: ReadonlyArray<AssEvent>): AssScript => ({
    resolution: size,
    wrap: 0,
    scaledBorder: true,
    styles,
    events
  })

  return {
    highlights: (section, from, to) => {
      const { within } = during(section, from, to)
      const events = litBy(highlights, timesOf(section, rate, from, to), within, size)
      return events.length === 0 ? null : assText(scriptOf(events)).text
    },
    images: (section, from, to) => {
      const { within } = during(section, from, to)
      return images.flatMap(({ during: span, ...image }) => {
        const when = within(span)
        return when === null ? [] : [{ ...image, ...when }]
      })
    },
    scripts: (section, from, to) => {
      const length = to - from
      const { placed, within } = during(section, from, to)
      const ours = items.flatMap(({ during, look }) => {
        const when = during === null ? { from: 0, to: length } : within(during)
        return when === null ? [] : [{ ...look, ...when }]
      })
      const theirs = users.map((user) => ({
        ...user,
        events: userEvents(user, framesPerMilli(section, rate), placed, length)
      }))
      return [scriptOf(ours), ...theirs].filter(({ events }) => events.length > 0).map(assText)
    }
  }
}

const refuse = (why: string | null) => {
  if (why !== null) throw new Error(why)
}

/** One event for each stretch in which nothing moves; none where no highlight is shown at any of the times. */
const litBy = (
  highlights: ReadonlyArray<Highlight>,
  times: ReadonlyArray<number>,
  within: (span: Span) => Frames | null,
  size: Size
): ReadonlyArray<AssEvent> => {
  const paths: Array<Array<string>> = times.map(() => [])
  for (const highlight of highlights) {
    const during = shownBetween(highlight)
    const when =
      during === null
        ? { from: 0, to: times.length }
        : within({ start: microsOf(during.start), end: microsOf(during.end) })
    if (when === null) continue
    for (const [i, path] of shapes(highlight, times.slice(when.from, when.to), size).entries()) {
      paths[when.from + i]?.push(path)
    }
  }
  if (paths.every((shown) => shown.length === 0)) return []
  const events: Array<AssEvent> = []
  for (const [frame, shown] of paths.entries()) {
    const look = litLook(shown.length === 0 ? [everything(size)] : shown, DRAWING_SCALE)
    const before = events.at(-1)
    if (before !== undefined && before.to === frame && before.text === look.text) {
      events[events.length - 1] = { ...before, to: frame + 1 }
    } else events.push({ ...look, from: frame, to: frame + 1 })
  }
  return events
}

interface Frames {
  readonly from: number
  readonly to: number
}
interface Placed extends Frames {
  /** The same with tenths of frames, which are nearer to when it begins and ends; no other frame is within them. */
  readonly exact: Frames
}

/**
 * The frames at which something is shown, counted from a chunk's first; it may have begun before and go on after. Null:
 * none of the chunk's. A frame's time counts in whole microseconds, as those of edits do (1/30 written as 0.033333 means
 * frame 1). What lasts from one instant to another is so shown by exactly the frames whose time is in [start, end), and of
 * things that follow on one another no frame shows both, or neither.
 */
const placement = (section: Section, rate: Rational, from: number, to: number) => {
  const [num, den] = [BigInt(rate.num) * BigInt(section.speed.den), BigInt(rate.den) * BigInt(section.speed.num)]
  const perFrame = (1e6 * rate.den * section.speed.num) / (rate.num * section.speed.den)
  // Most is far away, which is seen without exact arithmetic.
  const [early, late] = [section.start + (from - 1) * perFrame, section.start + (to + 1) * perFrame]
  // The least n with round(n · 10⁶ · den / num) ≥ micros − start; before the section as if it had begun earlier.
  const frameAt = (micros: number): number =>
    -Number(floorDivide(-(2n * BigInt(micros - section.start) - 1n) * num, 2_000_000n * den)) - from
  const exactly = (micros: number, frame: number): number => {
    const ahead = frame + from - (micros - section.start) / perFrame
    return frame - Math.min(9, Math.max(0, Math.round(10 * ahead))) / 10
  }
  return ({ end, start }: Span): Placed | null => {
    if (end < early || start > late) return null
    const when = { from: frameAt(start), to: frameAt(end) }
    if (when.from >= when.to || when.from >= to - from || when.to <= 0) return null
    return { ...when, exact: { from: exactly(start, when.from), to: exactly(end, when.to) } }
  }
}

/** Output frames a millisecond of source time. */
const framesPerMilli = ({ speed }: Section, rate: Rational): number =>
  (rate.num * speed.den) / (rate.den * speed.num) / 1000
