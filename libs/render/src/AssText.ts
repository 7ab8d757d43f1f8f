import { assColor } from "./AssColor.ts"

/**
 * Text that people wrote as text of an ASS event in which nothing is a command. libass reads three things in text:
 * `{…}` (commands), `\N \n \h` (breaks and blanks) and `\{ \}` (braces themselves). There is no escape for a backslash:
 * one that is followed by a word joiner (U+2060, no width, skipped by libass before it looks for a glyph) begins nothing.
 */

/** A piece of a line in one look. */
export interface Span {
  readonly text: string
  readonly bold?: boolean
  readonly italic?: boolean
  readonly underline?: boolean
  readonly strike?: boolean
  /** `#rrggbb` */
  readonly color?: string
}
/** Spans of one line, left to right as written. */
export type Line = ReadonlyArray<Span>

const BREAKS = /\r\n?|[\n\v\f\u0085\u2028\u2029]/gu
// Direction marks, joiners and the like shape letters and stay. What turns whole stretches round (U+202A…E, U+2066…9) goes:
// it can make a name read as another one, and each paragraph finds its direction by itself.
const UNSEEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]/gu

/** What can be shown of any text: well-formed, line breaks as "\n", no controls, no direction overrides. */
export const shown = (text: string): string =>
  text
    .toWellFormed()
    .split(BREAKS)
    .map((line) => line.replace(/\t/gu, " ").replace(UNSEEN, ""))
    .join("\n")

/** One line; what it says is what is drawn, letter by letter. */
export const literal = (line: string): string =>
  shown(line)
    .replace(/\n/gu, " ")
    .replace(/\\/gu, "\\\u2060")
    .replace(/[{}]/gu, (brace) => `\\${brace}`)

const SWITCHES = { bold: "b", italic: "i", underline: "u", strike: "s" } as const

/** Lines of spans as an event's text. */
export const dialogue = (lines: ReadonlyArray<Line>): string =>
  lines.map((line) => line.map((span) => styled(span)).join("")).join("\\N")

const styled = (span: Span): string => {
  const on = Object.entries(SWITCHES).filter(([name]) => name in span && span[name as keyof typeof SWITCHES] === true)
  const before =
    on.map(([, tag]) => `\\${tag}1`).join("") + (span.color === undefined ? "" : `\\1c${assColor(span.color)}`)
  // `\1c` without a value is the style's own again.
  const after = on.map(([, tag]) => `\\${tag}0`).join("") + (span.color === undefined ? "" : "\\1c")
  const text = literal(span.text)
  return before === "" ? text : `{${before}}${text}{${after}}`
}
