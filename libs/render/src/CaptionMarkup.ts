import { type Line, shown, type Span } from "./AssText.ts"

/** What stands in SubRip and WebVTT cues besides text: tags and entities. */
export type Markup = "srt" | "vtt"

interface Look {
  readonly bold: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly strike: boolean
  readonly color: string | null
}
const USUAL: Look = { bold: false, italic: false, underline: false, strike: false, color: null }

const TAG = /<(\/?)([a-zA-Z]*|\d[\d:.]*)((?:[.\s][^<>]*)?)>/gu

/**
 * The lines of a cue; none when it says nothing. Tags need not be closed, and may be closed in any order. Of a WebVTT cue
 * every tag is markup (voices, languages, times within the cue: none of them is text), of a SubRip one those it knows:
 * "<3" stays what it is.
 */
export const captionLines = (markup: Markup, text: string): ReadonlyArray<Line> => {
  const lines: Array<Array<Span>> = [[]]
  const open: Array<{ readonly name: string; readonly look: Look }> = []
  let look = USUAL

  const add = (raw: string) => {
    for (const [i, piece] of shown(entities(raw)).split("\n").entries()) {
      if (i > 0) lines.push([])
      if (piece !== "") lines.at(-1)?.push(spanOf(piece, look))
    }
  }
  const all = markup === "srt" ? text.replace(/^\s*\{\\an[1-9]\}/u, "") : text
  let read = 0
  for (const found of all.matchAll(TAG)) {
    const [tag, closing, given = "", rest = ""] = found
    const name = given.toLowerCase()
    const change = changeOf(markup, name, rest)
    if (change === null) continue
    add(all.slice(read, found.index))
    read = found.index + tag.length
    if (name === "br") lines.push([])
    else if (closing === "") {
      open.push({ name, look })
      look = changed(look, change)
    } else {
      const at = open.findLastIndex((one) => one.name === name)
      if (at >= 0) {
        // What was opened within it ends with it.
        look = open[at]?.look ?? USUAL
        open.length = at
      }
    }
  }
  add(all.slice(read))
  return trimmed(lines)
}

const changed = (look: Look, change: Partial<Look>): Look => ({ ...look, ...change })

const SIMPLE: Record<string, Partial<Look>> = {
  b: { bold: true },
  i: { italic: true },
  u: { underline: true },
  s: { strike: true },
  strike: { strike: true },
  br: {}
}

/** What a tag changes; null: it is text. */
const changeOf = (markup: Markup, name: string, rest: string): Partial<Look> | null => {
  const simple = Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined
  if (simple !== undefined) return simple
  if (markup === "vtt") return name === "c" ? colored(classColor(rest)) : {}
  return name === "font" ? colored(fontColor(rest)) : null
}

const colored = (color: string | null): Partial<Look> => (color === null ? {} : { color })

/** The colours that both formats name; WebVTT's classes have no others. */
const COLORS: Record<string, string> = {
  white: "#ffffff",
  lime: "#00ff00",
  cyan: "#00ffff",
  red: "#ff0000",
  yellow: "#ffff00",
  magenta: "#ff00ff",
  blue: "#0000ff",
  black: "#000000",
  green: "#008000",
  gray: "#808080",
  orange: "#ffa500",
  aqua: "#00ffff",
  fuchsia: "#ff00ff"
}
const named = (name: string): string | null => (Object.hasOwn(COLORS, name) ? (COLORS[name] ?? null) : null)

const classColor = (classes: string): string | null =>
  classes
    .split(/[.\s]/u)
    .map((name) => named(name))
    .findLast((color) => color !== null) ?? null

const fontColor = (attributes: string): string | null => {
  const given = /\bcolor\s*=\s*["']?\s*(#?[\da-z]+)/iu.exec(attributes)?.[1]?.toLowerCase() ?? ""
  const found = /^#?([\da-f]{6})(?:[\da-f]{2})?$/u.exec(given)
  return found === null ? named(given) : `#${found[1]}`
}

const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  lrm: "\u200e",
  rlm: "\u200f"
}

const entities = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,4}));/gu, (whole, decimal, hex, name) => {
    if (typeof name === "string") return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? whole) : whole
    const code = typeof decimal === "string" ? Number(decimal) : Number.parseInt(String(hex), 16)
    return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole
  })

const spanOf = (text: string, { color, ...switches }: Look): Span => ({
  text,
  ...Object.fromEntries(Object.entries(switches).filter(([, on]) => on)),
  ...(color === null ? {} : { color })
})

const isBlank = (line: Line): boolean => line.every((span) => span.text.trim() === "")

/** Without empty lines before, after or between. */
const trimmed = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> => lines.filter((line) => !isBlank(line))
