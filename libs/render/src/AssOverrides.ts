import { assColor } from "./AssColor.ts"
import type { AssStyle } from "./AssScript.ts"

/**
 * Commands within the text of somebody's ASS file, read and written anew: those that are known, with values within what
 * a picture can need. None of them reaches outside libass, but a blur of 10⁹ or a letter of 10⁶ pixels would cost whoever
 * renders it; and whatever this does not understand, libass does not get to see.
 */

/** Text with times left open: they run on the script's own clock, slower or faster than the source's (AssScript.ts). */
export type Part = string | { readonly millis: number; readonly unit: 1 | 10 }

export interface Overridden {
  readonly parts: ReadonlyArray<Part>
  /** It moves or fades: which moment of it is shown matters, not only that it is. */
  readonly moves: boolean
}

type Kind =
  | { readonly is: "number"; readonly least: number; readonly most: number }
  | { readonly is: "color" | "alpha" | "font" | "style" | "clip" | "change" | "karaoke" }
  /** So many numbers, and which of them are times. */
  | { readonly is: "numbers"; readonly counts: ReadonlyArray<number>; readonly times: ReadonlyArray<number> }

const number = (least: number, most: number): Kind => ({ is: "number", least, most })
const numbers = (counts: ReadonlyArray<number>, times: ReadonlyArray<number> = []): Kind => ({
  is: "numbers",
  counts,
  times
})
const COORDINATE = 20_000
const MOST_MILLIS = 36_000_000

const KINDS: ReadonlyMap<string, Kind> = new Map(
  (
    [
      ["i u s", number(0, 1)],
      ["b", number(0, 900)],
      ["a", number(0, 11)],
      ["an", number(1, 9)],
      ["q", number(0, 3)],
      ["fe", number(-1, 255)],
      ["bord xbord ybord", number(0, 200)],
      ["shad xshad yshad fsp pbo", number(-1000, 1000)],
      ["be", number(0, 20)],
      ["blur", number(0, 50)],
      ["fs", number(1, 2000)],
      ["fscx fscy", number(0, 500)],
      ["fr frx fry frz", number(-36_000, 36_000)],
      ["fax fay", number(-3, 3)],
      ["p", number(0, 10)],
      ["c 1c 2c 3c 4c", { is: "color" }],
      ["alpha 1a 2a 3a 4a", { is: "alpha" }],
      ["fn", { is: "font" }],
      ["r", { is: "style" }],
      ["clip iclip", { is: "clip" }],
      ["t", { is: "change" }],
      ["k K kf ko", { is: "karaoke" }],
      ["pos org", numbers([2])],
      ["move", numbers([4, 6], [4, 5])],
      ["fad", numbers([2], [0, 1])],
      ["fade", numbers([7], [3, 4, 5, 6])]
    ] satisfies ReadonlyArray<readonly [string, Kind]>
  ).flatMap(([names, kind]) => names.split(" ").map((name) => [name, kind]))
)
/** The longest name that fits is meant. */
const NAMES = [...KINDS.keys()].toSorted((a, b) => b.length - a.length)
const MOVING = new Set(["t", "move", "fad", "fade", "k", "K", "kf", "ko"])

/** By their names. */
type Styles = ReadonlyMap<string, AssStyle>

const PIECES = /\\[{}]|\{([^}]*)\}/gu

export const overridden = (text: string, styles: Styles): Overridden => {
  const parts: Array<Part> = []
  const seen = new Set<string>()
  let drawing = false
  const write = (plain: string) =>
    parts.push(drawing ? drawingText(plain) : plain.replace(/[{}]/gu, (brace) => `\\${brace}`))
  let read = 0
  for (const found of text.matchAll(PIECES)) {
    write(text.slice(read, found.index))
    read = found.index + found[0].length
    const block = found[1]
    if (block === undefined) parts.push(found[0])
    else {
      const tags = tagsIn(block)
      const written = tags.flatMap((tag) => writtenTag(tag, styles, true))
      for (const { name, value } of tags) {
        seen.add(name)
        if (name === "p") drawing = numberIn(value) > 0
        if (name === "r") drawing = false
      }
      if (written.length > 0) parts.push("{", ...written, "}")
    }
  }
  write(text.slice(read))
  return { parts: merged(parts), moves: [...seen].some((name) => MOVING.has(name)) }
}

/** `scale`: milliseconds of the script's clock a millisecond. */
export const retimed = (parts: ReadonlyArray<Part>, scale: number): string =>
  parts
    .map((part) => (typeof part === "string" ? part : String(Math.round((part.millis * scale) / part.unit))))
    .join("")

const merged = (parts: ReadonlyArray<Part>): ReadonlyArray<Part> => {
  const all: Array<Part> = []
  for (const part of parts) {
    const before = all.at(-1)
    if (typeof part === "string" && typeof before === "string") all[all.length - 1] = before + part
    else if (part !== "") all.push(part)
  }
  return all
}

interface Tag {
  readonly name: string
  readonly value: string
}

/** A block's commands; what stands between them is a comment. */
const tagsIn = (block: string): ReadonlyArray<Tag> => {
  const tags: Array<Tag> = []
  let at = block.indexOf("\\")
  while (at >= 0 && at < block.length) {
    const rest = block.slice(at + 1).trimStart()
    const begin = block.length - rest.length
    const name = NAMES.find((one) => rest.startsWith(one))
    const end = endOfTag(block, begin)
    if (name !== undefined) tags.push({ name, value: block.slice(begin + name.length, end).trim() })
    at = block.indexOf("\\", end)
  }
  return tags
}

/** Where the next command begins, not counting those within brackets. */
const endOfTag = (block: string, from: number): number => {
  let depth = 0
  for (let i = from; i < block.length; i++) {
    if (block[i] === "(") depth++
    else if (block[i] === ")") depth = Math.max(0, depth - 1)
    else if (block[i] === "\\" && depth === 0) return i
  }
  return block.length
}

/** The tag as libass gets it; nothing when its value is none. */
const writtenTag = ({ name, value }: Tag, styles: Styles, outermost: boolean): ReadonlyArray<Part> => {
  const kind = KINDS.get(name)
  if (kind === undefined) return []
  const tag = (written: string): ReadonlyArray<Part> => [`\\${name}${written}`]
  switch (kind.is) {
    case "number":
      return value === "" ? tag("") : tag(bounded(value, kind.least, kind.most))
    case "color":
      return value === "" ? tag("") : tag(assColor(rgbOf(value)))
    case "alpha":
      return value === "" ? tag("") : tag(`&H${(numberOfHex(value) & 0xff).toString(16).padStart(2, "0")}&`)
    case "font":
      return tag(fontName(value))
    case "style":
      return tag(styles.has(value) ? value : "")
    case "karaoke":
      return [`\\${name}`, { millis: 10 * numberIn(value), unit: 10 }]
    case "clip":
      return clip(name, argumentsIn(value))
    case "numbers": {
      const given = argumentsIn(value)
      if (!kind.counts.includes(given.length)) return []
      return bracketed(
        name,
        given.map((one, i) => (kind.times.includes(i) ? millisOf(one) : bounded(one)))
      )
    }
    case "change":
      return outermost ? change(value, styles) : []
  }
}

const bracketed = (name: string, values: ReadonlyArray<Part>): ReadonlyArray<Part> => [
  `\\${name}(`,
  ...values.flatMap((one, i) => (i === 0 ? [one] : [",", one])),
  ")"
]

/** `\t([t1,t2,][accel,]commands)` */
const change = (value: string, styles: Styles): ReadonlyArray<Part> => {
  const inner = value.replace(/^\(/u, "").replace(/\)$/u, "")
  const commands = inner.indexOf("\\")
  if (commands < 0) return []
  const given = inner.slice(0, commands).split(",").slice(0, -1)
  const times = given.length >= 2 ? given.slice(0, 2).map(millisOf) : []
  const pace = given.length % 2 === 1 ? [bounded(given.at(-1) ?? "", 0, 100)] : []
  const changed = tagsIn(inner.slice(commands)).flatMap((tag) => writtenTag(tag, styles, false))
  return changed.length === 0 ? [] : ["\\t(", ...[...times, ...pace].flatMap((one) => [one, ","]), ...changed, ")"]
}

/** A rectangle, or a drawing with or without its scale. */
const clip = (name: string, given: ReadonlyArray<string>): ReadonlyArray<Part> => {
  if (given.length === 4)
    return bracketed(
      name,
      given.map((one) => bounded(one))
    )
  const path = given.at(-1) ?? ""
  if (given.length === 0 || given.length > 2 || path === "") return []
  const scale = given.length === 2 ? [bounded(given[0] ?? "", 1, 10)] : []
  return bracketed(name, [...scale, drawingText(path)])
}

const argumentsIn = (value: string): ReadonlyArray<string> => {
  const found = /^\(([^()]*)\)?/u.exec(value)
  return found === null ? [] : (found[1] ?? "").split(",").map((one) => one.trim())
}

/** A drawing's words: commands and coordinates. */
const drawingText = (text: string): string =>
  [...text.matchAll(/[mnlbspc]|-?\d+(?:\.\d+)?/gu)]
    .map(([word]) => (/^[a-z]/u.test(word) ? word : bounded(word)))
    .join(" ")

const numberIn = (text: string): number => Number(/^[-+]?(?:\d+\.?\d*|\.\d+)/u.exec(text)?.[0] ?? 0)

const bounded = (text: string, least = -COORDINATE, most = COORDINATE): string =>
  String(Math.round(Math.min(most, Math.max(least, numberIn(text.trim()))) * 1000) / 1000)

const millisOf = (text: string): Part => ({
  millis: Math.min(MOST_MILLIS, Math.max(-MOST_MILLIS, Math.round(numberIn(text.trim())))),
  unit: 1
})

/** `&Haabbggrr&`, or a decimal number as old files have it. */
export const numberOfHex = (text: string): number => {
  const hex = /^&?[hH]([\da-fA-F]{1,8})&?$/u.exec(text.trim())?.[1]
  return hex === undefined ? numberIn(text) >>> 0 : Number.parseInt(hex, 16)
}

/** `#rrggbb` of the same. */
export const rgbOf = (text: string): string => {
  const value = numberOfHex(text)
  const [r, g, b] = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff]
  return `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`
}

/** Names of families are looked up, never opened: a path is the name of no family. */
export const fontName = (text: string): string =>
  text
    .replace(/[^\p{L}\p{N} @._+-]/gu, "")
    .trim()
    .slice(0, 64)
