import type { Overlay } from "@reelay/contracts/Edits"
import { parseAss, type UserScript } from "./AssCaptions.ts"
import { type Cue, type Issue, parseCaptions } from "./Captions.ts"

/**
 * What overlays may ask of an encoder. Acceptance refuses what is beyond (`overlayRefusal`) and shows the issues of what is
 * not (`captionTrack`); who renders believes that, and throws.
 */

export type Captions = Extract<Overlay, { readonly type: "captions" }>
export type CaptionTrack = (
  | { readonly _tag: "cues"; readonly cues: ReadonlyArray<Cue> }
  | { readonly _tag: "script"; readonly script: UserScript }
) & {
  /** What was left out, and where. */
  readonly issues: ReadonlyArray<Issue>
}

/** Characters of one caption or text: it is laid out anew for every frame. */
const LONGEST = 2000
/** Captions on one picture; and lines of an ASS file, where a sign may be made of a hundred. */
const AT_ONCE = { cues: 32, script: 1000 } as const
/** Area of all that is drawn on one picture, in picture heights squared: a gigabyte of bitmaps at 1080p. */
const LARGEST = 200

/** Characters of all the overlays of an export: they are read when it is planned, by who plans for everybody. */
const ALL_TEXT = 4_194_304
/** Of a clip: each is reckoned for every frame, or lies in the encoder's memory as long as a chunk of it is made. */
const MOST = { highlight: 8, image: 32 } as const

/**
 * Pixels of all images over a clip, each counted as often as it is shown: an encoder holds them all when a chunk begins, at
 * 12 bytes each, and those of two clips in a dissolve.
 */
const IMAGE_PIXELS = 40_000_000

/** Why these images cannot be over one clip, for people; null when they can. */
export const imagesRefusal = (images: ReadonlyArray<{ readonly width: number; readonly height: number }>) => {
  const pixels = images.reduce((sum, { height, width }) => sum + width * height, 0)
  if (pixels <= IMAGE_PIXELS) return null
  const millions = (count: number) => `${Math.ceil(count / 1e6)} million pixels`
  return `have ${millions(pixels)} in their images; ${millions(IMAGE_PIXELS)} is the most`
}

export interface OverlayRefusal {
  /** Positions. */
  readonly clip: number
  readonly overlay: number
  readonly detail: string
}

/** Everything about the overlays of an export's clips that cannot be. */
export const overlayRefusals = (
  clips: ReadonlyArray<{ readonly overlays: ReadonlyArray<Overlay> }>
): ReadonlyArray<OverlayRefusal> => {
  let written = 0
  return clips.flatMap(({ overlays }, clip) => {
    const counts = { highlight: 0, image: 0 }
    return overlays.flatMap((one, overlay): ReadonlyArray<OverlayRefusal> => {
      written += "text" in one ? one.text.length : 0
      const counted = one.type === "highlight" || one.type === "image" ? one.type : null
      if (counted !== null) counts[counted]++
      const detail =
        written > ALL_TEXT
          ? `all texts and captions together have at most ${ALL_TEXT} characters`
          : counted !== null && counts[counted] > MOST[counted]
            ? `a clip has at most ${MOST[counted]} ${counted}s`
            : overlayRefusal(one)
      return detail === null ? [] : [{ clip, overlay, detail }]
    })
  })
}

export const captionTrack = ({ format, text }: Captions): CaptionTrack =>
  format === "ass" ? { _tag: "script", ...parseAss(text) } : { _tag: "cues", ...parseCaptions(format, text) }

/** Why this cannot be drawn, for people; null when it can. */
export const overlayRefusal = (overlay: Overlay): string | null => {
  switch (overlay.type) {
    case "image":
      if (overlay.videoId !== undefined) return "an image overlay shows an image (imageId), not a video"
      if (overlay.imageId === undefined) return "an image overlay needs an imageId"
      return overlay.end <= overlay.start ? "an image's end must be after its start" : null
    case "text":
      if (overlay.end <= overlay.start) return "a text's end must be after its start"
      if (overlay.text.length > LONGEST) return `a text has at most ${LONGEST} characters`
      return overlay.text.length * overlay.size ** 2 > LARGEST ? "a text is too large for its length" : null
    case "captions":
      return trackRefusal(captionTrack(overlay), overlay.text)
    case "highlight":
      return null
  }
}

export const trackRefusal = (track: CaptionTrack, text: string): string | null => {
  const shown: ReadonlyArray<{ readonly start: number; readonly end: number }> =
    track._tag === "cues" ? track.cues : track.script.lines
  const first = track.issues[0]
  if (shown.length === 0 && text.trim() !== "") {
    return first === undefined
      ? "there are no captions in it"
      : `there are no captions in it: line ${first.line} ${first.message}`
  }
  const length = (cue: Cue) =>
    cue.lines.reduce((sum, line) => line.reduce((all, span) => all + span.text.length, sum), 0)
  if (track._tag === "cues" && track.cues.some((cue) => length(cue) > LONGEST)) {
    return `a caption has at most ${LONGEST} characters`
  }
  const most = AT_ONCE[track._tag]
  if (atOnce(shown, () => 1) > most) return `at most ${most} captions can be shown at once`
  const drawn = track._tag === "cues" ? 0 : atOnce(track.script.lines, (line) => line.load)
  return drawn > LARGEST ? "too much is drawn at once, or too large" : null
}

/** The largest sum of what is there at one time. */
const atOnce = <A extends { readonly start: number; readonly end: number }>(
  shown: ReadonlyArray<A>,
  weight: (one: A) => number
): number => {
  const changes = shown.flatMap((one) => [
    { at: one.start, by: weight(one) },
    { at: one.end, by: -weight(one) }
  ])
  // One that ends where another begins makes room for it.
  changes.sort((a, b) => a.at - b.at || a.by - b.by)
  let [now, most] = [0, 0]
  for (const { by } of changes) {
    now += by
    most = Math.max(most, now)
  }
  return most
}
