import type { ExportType } from "@reelay/contracts/Export"
import { microsOf, type Rational } from "@reelay/contracts/Quantity"
import type { SpecClip } from "@reelay/contracts/RenderSpec"
import { type AssEvent, assText } from "./AssScript.ts"
import { shown } from "./AssText.ts"
import { type Size, timesOf } from "./Crop.ts"
import { CLIP_SCALE, type Highlight, shapes, shownBetween } from "./Highlight.ts"
import { captionLook, labelLook, shadeLook, stylesFor, textLook } from "./OverlayLook.ts"
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
  /**
   * Scripts for frames [from, to) of a section, to be drawn one over the other: mostly one, none when nothing is shown.
   * They hold what these frames show and nothing else, so they are also what their task's key covers.
   */
  scripts(section: Section, from: number, to: number): ReadonlyArray<string>
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
  rate: Rational
): Drawing => {
  const items: Array<Item> = []
  const highlights: Array<Highlight> = []
  const users: Array<UserScript> = []
  for (const overlay of DRAWN.has(type) ? clip.overlays : []) {
    if (overlay.type === "highlight") highlights.push(overlay)
    else if (overlay.type === "captions") {
      const track = captionTrack(overlay)
      refuse(trackRefusal(track, overlay.text))
      if (track._tag === "script") users.push(track.script)
      else items.push(...track.cues.map((cue) => ({ during: cue, look: captionLook(cue, size) })))
    } else {
      refuse(overlayRefusal(overlay))
      if (overlay.type === "image") continue
      const during = { start: microsOf(overlay.start), end: microsOf(overlay.end) }
      items.push({ during, look: textLook(shown(overlay.text), overlay, size) })
    }
  }
  if (type === "annotate") items.push({ during: null, look: labelLook(clip.name, size) })
  const styles = stylesFor(size)

  return {
    scripts: (section, from, to) => {
      const length = to - from
      const placed = placement(section, rate, from, to)
      const within = (span: Span) => {
        const when = placed(span)
        return when === null ? null : { from: Math.max(0, when.from), to: Math.min(length, when.to) }
      }
      const ours = [
        ...shades(highlights, timesOf(section, rate, from, to), within, size),
        ...items.flatMap(({ during, look }) => {
          const when = during === null ? { from: 0, to: length } : within(during)
          return when === null ? [] : [{ ...look, ...when }]
        })
      ]
      const named = new Set(ours.map((event) => event.style))
      const script = {
        resolution: size,
        wrap: 0,
        scaledBorder: true,
        styles: styles.filter((style) => named.has(style.name)),
        events: ours
      }
      const theirs = users.map((user) => ({
        ...user,
        events: userEvents(user, framesPerMilli(section, rate), placed, length)
      }))
      return [script, ...theirs].filter(({ events }) => events.length > 0).map(assText)
    }
  }
}

const refuse = (why: string | null) => {
  if (why !== null) throw new Error(why)
}

/** One event for each stretch in which nothing moves. */
const shades = (
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
  const events: Array<AssEvent> = []
  for (const [frame, shown] of paths.entries()) {
    if (shown.length === 0) continue
    const look = shadeLook(shown, CLIP_SCALE, size)
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
