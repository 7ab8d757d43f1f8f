import { type Line, type Span } from "./AssText.ts"

/**
 * How much room a text takes, without looking into a font: libass breaks lines by the real widths, and what is reckoned
 * here only decides how large a caption is and where scripts without blanks are broken, which libass never does.
 */

/** Widths in heights of a line, somewhat on the wide side: an average letter, and one that fills its square. */
const LETTER = 0.4
const SQUARE = 0.75
const FULL =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]|[\u{20000}-\u{3fffd}]/u
const NONE = /\p{M}|\p{Cf}/u

export const widthOf = (text: string): number => {
  let width = 0
  for (const sign of text) width += NONE.test(sign) ? 0 : FULL.test(sign) ? SQUARE : LETTER
  return width
}

const widthOfLine = (line: Line): number => line.reduce((sum, span) => sum + widthOf(span.text), 0)

export interface Fit {
  readonly lines: ReadonlyArray<Line>
  /** Of the usual size. */
  readonly scale: number
}

const MOST_LINES = 2
const SMALLEST = 0.6
const STEPS = 10

/**
 * A caption as it goes into `room` (heights of a line): as its author broke it where that fits, else as one paragraph
 * that is broken anew, in two lines, smaller when it must be. What even then does not fit gets more lines: nothing is left
 * out.
 */
export const fitted = (lines: ReadonlyArray<Line>, room: number): Fit => {
  if (lines.every((line) => widthOfLine(line) <= room)) return { lines: lines.map(whole), scale: 1 }
  const paragraph = whole(lines.flatMap((line, i) => (i === 0 ? line : [{ text: " " }, ...line])))
  // Breaking at words leaves an eighth of a line unused, more or less.
  const scale = Math.min(1, Math.max(SMALLEST, ((MOST_LINES - 1 / 8) * room) / widthOfLine(paragraph)))
  // In steps, so that captions in a row differ in size only where they have to.
  const stepped = Math.max(SMALLEST, Math.round(scale * STEPS) / STEPS)
  return { lines: broken(paragraph, room / stepped), scale: stepped }
}

/** Spans of one look in a row are one. */
const whole = (line: Line): Line => {
  const spans: Array<Span> = []
  for (const span of line) {
    const before = spans.at(-1)
    if (before !== undefined && sameLook(before, span))
      spans[spans.length - 1] = { ...before, text: before.text + span.text }
    else spans.push(span)
  }
  return spans
}

const sameLook = (a: Span, b: Span): boolean =>
  (["bold", "italic", "underline", "strike", "color"] as const).every((name) => a[name] === b[name])

const words = new Intl.Segmenter("und", { granularity: "word" })
/** What never begins a line. */
const CLOSING = /^[\p{Pe}\p{Pf}\p{M}、。，．・：；？！ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.!?:;…]/u

/**
 * Breaks what has no blanks to break at (Chinese, Japanese, Thai) at its words. A line with blanks is left to libass, which
 * knows its width.
 */
const broken = (line: Line, room: number): ReadonlyArray<Line> => {
  const longest = Math.max(0, ...line.flatMap((span) => span.text.split(" ").map(widthOf)))
  if (longest <= room) return [line]
  // Even lines look better than a full one and a rest.
  const even = widthOfLine(line) / Math.ceil(widthOfLine(line) / room)
  const lines: Array<Array<Span>> = [[]]
  let used = 0
  for (const span of line) {
    for (const piece of pieces(span.text, room)) {
      const wide = widthOf(piece)
      if (used > 0 && used + wide / 2 > even && !CLOSING.test(piece)) {
        lines.push([])
        used = 0
      }
      lines.at(-1)?.push({ ...span, text: piece })
      used += wide
    }
  }
  return lines.map(whole)
}

/** Words, and letters of those that are longer than a line. */
const pieces = (text: string, room: number): ReadonlyArray<string> =>
  [...words.segment(text)].flatMap(({ segment }) => (widthOf(segment) > room ? [...segment] : [segment]))

/** The beginning of a text that goes into `room`, with an ellipsis when that is not all of it. */
export const shortened = (text: string, room: number): string => {
  if (widthOf(text) <= room) return text
  let kept = ""
  let used = widthOf("…")
  for (const { segment } of new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text)) {
    used += widthOf(segment)
    if (used > room) break
    kept += segment
  }
  return `${kept.trimEnd()}…`
}
