import { captionLines, type Markup } from "./CaptionMarkup.ts"
import type { Line } from "./AssText.ts"

/**
 * SubRip and WebVTT as they are found: byte order marks, any line ends, missing or wrong numbers, commas or points, no
 * hours, cues in any order or over one another. What cannot be read is left out *and said*, with its line: players skip
 * such cues too, and a film of two hours should not be refused for one typing error; but nobody has to find out from the
 * finished film. (Read here and not by a library: media-captions, the best of those there are, is asynchronous, drops
 * SubRip's colours and skips cues that end before they begin without a word.)
 */
export interface Cue {
  /** Whole microseconds from media zero. */
  readonly start: number
  readonly end: number
  readonly lines: ReadonlyArray<Line>
  readonly place: CuePlace
}

/** Where a cue is put; what is null is as usual: the bottom, the middle. */
export interface CuePlace {
  /** As on a numeric keypad (SubRip's `{\anN}`). */
  readonly alignment: number | null
  /** Fraction of the height, or lines from the top (0, 1, …) or the bottom (−1, −2, …). */
  readonly line: { readonly fraction: number } | { readonly count: number } | null
  /** Fraction of the width. */
  readonly position: number | null
  readonly align: "left" | "center" | "right" | null
}

export interface Issue {
  /** From 1. */
  readonly line: number
  readonly message: string
}

export interface Cues {
  /** By their start. */
  readonly cues: ReadonlyArray<Cue>
  readonly issues: ReadonlyArray<Issue>
}

const USUAL: CuePlace = { alignment: null, line: null, position: null, align: null }

export const parseCaptions = (format: "srt" | "vtt", text: string): Cues => {
  const lines = text.replace(/^\ufeff/u, "").split(/\r\n?|\n/u)
  const issues: Array<Issue> = []
  const cues: Array<Cue> = []
  const say = (at: number, message: string) => issues.push({ line: at + 1, message })
  const ends = format === "srt" ? endOfSrt : endOfVtt

  if (format === "vtt" && !/^WEBVTT([ \t]|$)/u.test(lines[0] ?? "")) say(0, "does not begin with WEBVTT")
  let at = 0
  while (at < lines.length) {
    const line = lines[at] ?? ""
    if (!isTime(line)) {
      // Outside cues a WebVTT file has notes and styles, which are blocks of their own; both have names and numbers.
      if (format === "vtt" && /^(NOTE|STYLE|REGION|WEBVTT)([ \t]|$)/u.test(line)) at = nextLine(lines, at, isBlank)
      else {
        if (!isBlank(line) && !namesCue(lines, at)) say(at, "is not part of any caption")
        at++
      }
      continue
    }
    const end = ends(lines, at + 1)
    const timing = timingOf(line)
    if (timing === null) say(at, `is not a time range: ${quoted(line)}`)
    else if (timing.end <= timing.start) say(at, "ends before it begins")
    else {
      const said = captionLines(MARKUP[format], lines.slice(at + 1, end).join("\n"))
      const alignment = format === "srt" ? alignmentIn(lines.slice(at + 1, end)) : null
      const place = format === "vtt" ? placeOf(timing.settings) : { ...USUAL, alignment }
      if (said.length > 0) cues.push({ start: timing.start, end: timing.end, lines: said, place })
    }
    at = end
  }
  return { cues: cues.toSorted((a, b) => a.start - b.start), issues }
}

const MARKUP = { srt: "srt", vtt: "vtt" } as const satisfies Record<string, Markup>

const quoted = (line: string): string => JSON.stringify(line.trim().slice(0, 60))

/** The first of these lines at or after a place; the end when there is none. */
const nextLine = (lines: ReadonlyArray<string>, from: number, is: (line: string) => boolean): number => {
  let at = from
  while (at < lines.length && !is(lines[at] ?? "")) at++
  return at
}
const isBlank = (line: string): boolean => line.trim() === ""
const isTime = (line: string): boolean => line.includes("-->")

/** A number or a name stands right before the time. */
const namesCue = (lines: ReadonlyArray<string>, at: number): boolean => isTime(lines[at + 1] ?? "")

/** A WebVTT cue ends at an empty line. */
const endOfVtt = (lines: ReadonlyArray<string>, from: number): number =>
  nextLine(lines, from, (line) => isBlank(line) || isTime(line))

/** SubRip's too, but texts with empty lines in them are common: the next time ends it, with the number before that. */
const endOfSrt = (lines: ReadonlyArray<string>, from: number): number => {
  const next = nextLine(lines, from, isTime)
  return next < lines.length && next > from && /^\s*\d+\s*$/u.test(lines[next - 1] ?? "") ? next - 1 : next
}

const TIME = String.raw`(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,9}))?`
const TIMING = new RegExp(String.raw`^\s*${TIME}\s*-->\s*${TIME}(?:\s+(.*))?$`, "u")

const timingOf = (line: string) => {
  const found = TIMING.exec(line)
  if (found === null) return null
  return { start: microsIn(found, 1), end: microsIn(found, 5), settings: found[9] ?? "" }
}

const microsIn = (found: RegExpExecArray, at: number): number => {
  const part = (i: number) => Number(found[at + i] ?? 0)
  const fraction = Number((found[at + 3] ?? "").padEnd(6, "0").slice(0, 6))
  return ((part(0) * 60 + part(1)) * 60 + part(2)) * 1_000_000 + fraction
}

/** SubRip has no way to place a caption; this much of ASS is in so many files that every player knows it. */
const alignmentIn = (lines: ReadonlyArray<string>): number | null => {
  const found = /^\s*\{\\an([1-9])\}/u.exec(lines[0] ?? "")
  return found === null ? null : Number(found[1])
}

const ALIGN: Record<string, CuePlace["align"]> = {
  start: "left",
  left: "left",
  center: "center",
  middle: "center",
  end: "right",
  right: "right"
}

const placeOf = (settings: string): CuePlace => {
  const given = new Map(settings.split(/\s+/u).map((word) => [word.split(":")[0] ?? "", word.split(":")[1] ?? ""]))
  const value = (name: string) => (given.get(name) ?? "").split(",")[0] ?? ""
  const line = value("line")
  return {
    alignment: null,
    line: /^-?\d{1,3}$/u.test(line) ? { count: Number(line) } : inFraction(line),
    position: fractionOf(value("position")),
    align: ALIGN[value("align")] ?? null
  }
}

const fractionOf = (text: string): number | null => {
  const found = /^(\d{1,3}(?:\.\d{1,6})?)%$/u.exec(text)
  return found === null ? null : Math.min(100, Number(found[1])) / 100
}
const inFraction = (text: string): { readonly fraction: number } | null => {
  const fraction = fractionOf(text)
  return fraction === null ? null : { fraction }
}
