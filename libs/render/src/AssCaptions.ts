import { styleColor } from "./AssColor.ts"
import { loadOf } from "./AssLoad.ts"
import { fontName, numberOfHex, overridden, type Part, retimed, rgbOf } from "./AssOverrides.ts"
import { type AssEvent, type AssScript, type AssStyle, FRAME_MILLIS } from "./AssScript.ts"
import { shown } from "./AssText.ts"
import type { Issue } from "./Captions.ts"
import type { Size } from "./Crop.ts"

/**
 * Somebody's ASS (or SSA) file, of which everything that libass gets is written anew: its resolution, its styles, what is
 * said when. Fonts and pictures embedded in it, comments, effects and whatever else stands there stay behind. It
 * remains a script of its own, for all its measures are in its own resolution, which libass scales and we need not.
 */
export interface UserScript extends Omit<AssScript, "events"> {
  readonly lines: ReadonlyArray<UserLine>
}

export interface UserLine {
  /** Whole microseconds from media zero. */
  readonly start: number
  readonly end: number
  readonly layer: number
  readonly style: string
  readonly margins: NonNullable<AssEvent["margins"]>
  readonly parts: ReadonlyArray<Part>
  readonly moves: boolean
  /** What drawing it costs (AssLoad.ts). */
  readonly load: number
}

/** What a line says at most, commands included: signs drawn with vectors are long. */
const LONGEST = 65_536
const STYLES = 500

export const parseAss = (text: string): { readonly script: UserScript; readonly issues: ReadonlyArray<Issue> } => {
  const issues: Array<Issue> = []
  const rows = rowsOf(text)
  const info = new Map(
    rows.filter((row) => row.section === "script info").map(({ name, value }) => [name.toLowerCase(), value.trim()])
  )
  const styles = stylesIn(rows)
  const named = new Map(styles.map((style) => [style.name, style]))
  const resolution = resolutionOf(info)
  const lines: Array<UserLine> = []
  let format = EVENT_FORMAT
  for (const { at, name, section, value } of rows) {
    if (section !== "events") continue
    const say = (message: string) => issues.push({ line: at, message })
    if (name === "Format") format = fieldsOf(value)
    if (name !== "Dialogue") continue
    const fields = fieldMap(format, value)
    const [start, end] = [microsIn(fields.get("start") ?? ""), microsIn(fields.get("end") ?? "")]
    const said = shown(fields.get("text") ?? "").replace(/\n/gu, " ")
    if (start === null || end === null) say("has no time")
    else if (end <= start) say("ends before it begins")
    else if (said.length > LONGEST) say(`is longer than ${LONGEST} characters`)
    else {
      const margin = (of: string) => whole(fields.get(of) ?? "", 0, 16_384)
      const style = named.get(styleName(fields.get("style") ?? "")) ?? styles[0]
      if ((fields.get("effect") ?? "").trim() !== "") say("has an effect, which is left out")
      const { moves, parts } = overridden(said, named)
      lines.push({
        start,
        end,
        layer: whole(fields.get("layer") ?? "", 0, 1000),
        style: style.name,
        margins: { left: margin("marginl"), right: margin("marginr"), vertical: margin("marginv") },
        parts,
        moves,
        load: loadOf(retimed(parts, 1), style, named, resolution.height)
      })
    }
  }
  const script = {
    resolution,
    wrap: whole(info.get("wrapstyle") ?? "", 0, 3),
    scaledBorder: /^(yes|1)$/iu.test(info.get("scaledborderandshadow") ?? ""),
    styles,
    lines
  }
  return { script, issues }
}

interface Frames {
  readonly from: number
  readonly to: number
}

/**
 * Those that are shown. `placed` says during which frames of a chunk of `length` a line is, null: none; `perMilli`: output
 * frames a millisecond of source time.
 */
export const userEvents = (
  { lines }: UserScript,
  perMilli: number,
  placed: (line: UserLine) => (Frames & { readonly exact: Frames }) | null,
  length: number
): ReadonlyArray<AssEvent> =>
  lines.flatMap((line): ReadonlyArray<AssEvent> => {
    const when = placed(line)
    if (when === null) return []
    const { layer, margins, moves, parts, style } = line
    const during = moves ? when.exact : { from: Math.max(0, when.from), to: Math.min(length, when.to) }
    return [{ layer, from: during.from, to: during.to, style, margins, text: retimed(parts, perMilli * FRAME_MILLIS) }]
  })

interface Row {
  /** From 1. */
  readonly at: number
  readonly section: string
  readonly name: string
  readonly value: string
}

/** `Name: value` lines of the sections that count. */
const rowsOf = (text: string): ReadonlyArray<Row> => {
  let section = ""
  return text
    .replace(/^\ufeff/u, "")
    .split(/\r\n?|\n/u)
    .flatMap((line, i) => {
      const header = /^\s*\[([^\]]{1,40})\]\s*$/u.exec(line)
      if (header !== null) section = (header[1] ?? "").trim().toLowerCase()
      const found = /^\s*([A-Za-z][A-Za-z0-9 ]{0,40}):\s?(.*)$/u.exec(line)
      if (header !== null || found === null) return []
      return [{ at: i + 1, section, name: found[1] ?? "", value: found[2] ?? "" }]
    })
}

const fieldsOf = (format: string): ReadonlyArray<string> => format.split(",").map((name) => name.trim().toLowerCase())
const EVENT_FORMAT = fieldsOf("Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text")

/** The last field has all the commas that are left. */
const fieldMap = (format: ReadonlyArray<string>, value: string): ReadonlyMap<string, string> => {
  const pieces = value.split(",")
  const last = format.length - 1
  return new Map(format.map((name, i) => [name, i < last ? (pieces[i] ?? "") : pieces.slice(last).join(",")]))
}

const microsIn = (text: string): number | null => {
  const found = /^\s*(\d{1,3}):(\d{1,2}):(\d{1,2})(?:[.:](\d{1,6}))?\s*$/u.exec(text)
  if (found === null) return null
  const [hours, minutes, seconds] = [Number(found[1]), Number(found[2]), Number(found[3])]
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + Number((found[4] ?? "").padEnd(6, "0"))
}

const real = (text: string, least: number, most: number, otherwise: number): number => {
  const value = Number(text.trim() === "" ? Number.NaN : text)
  return Number.isFinite(value) ? Math.round(Math.min(most, Math.max(least, value)) * 1000) / 1000 : otherwise
}
const whole = (text: string, least: number, most: number): number => Math.round(real(text, least, most, least))

/** Where one side is missing, or both, libass has rules; these are they. */
const resolutionOf = (info: ReadonlyMap<string, string>): Size => {
  const [x, y] = [whole(info.get("playresx") ?? "", 0, 16_384), whole(info.get("playresy") ?? "", 0, 16_384)]
  if (x === 0 && y === 0) return { width: 384, height: 288 }
  return { width: x === 0 ? Math.round((y * 4) / 3) : x, height: y === 0 ? Math.round((x * 3) / 4) : y }
}

/** At least one. */
const stylesIn = (rows: ReadonlyArray<Row>): readonly [AssStyle, ...ReadonlyArray<AssStyle>] => {
  const styles: Array<AssStyle> = []
  let format: ReadonlyArray<string> = []
  for (const { name, section, value } of rows) {
    const old = section === "v4 styles"
    if (!old && section !== "v4+ styles" && section !== "v4 styles+") continue
    if (name === "Format") format = fieldsOf(value)
    if (name === "Style" && format.length > 0 && styles.length < STYLES) {
      styles.push(styleOf(fieldMap(format, value), old))
    }
  }
  const [first = styleOf(new Map(), false), ...others] = styles
  return [first, ...others]
}

const styleName = (text: string): string =>
  text
    .replace(/[^\p{L}\p{N} _.+-]/gu, "")
    .trim()
    .slice(0, 64)

const styleOf = (fields: ReadonlyMap<string, string>, old: boolean): AssStyle => {
  const field = (name: string) => (fields.get(name) ?? "").trim()
  const value = (name: string, least: number, most: number, otherwise: number) =>
    real(field(name), least, most, otherwise)
  const painted = (name: string, otherwise: string) => {
    const given = field(name) === "" ? otherwise : field(name)
    const alpha = old ? 0 : (numberOfHex(given) >>> 24) & 0xff
    return styleColor(rgbOf(given), alpha.toString(16).padStart(2, "0").toUpperCase())
  }
  const on = (name: string) => whole(field(name), -900, 900) !== 0 && field(name) !== ""
  return {
    name: styleName(field("name")) || "Default",
    font: fontName(field("fontname")) || "Arial",
    size: value("fontsize", 1, 2000, 18),
    color: painted("primarycolour", "&H00FFFFFF"),
    secondary: painted("secondarycolour", "&H0000FFFF"),
    outlineColor: painted(old ? "tertiarycolour" : "outlinecolour", "&H00000000"),
    shadowColor: painted("backcolour", "&H00000000"),
    bold: on("bold"),
    italic: on("italic"),
    underline: on("underline"),
    strike: on("strikeout"),
    scaleX: value("scalex", 0, 500, 100),
    scaleY: value("scaley", 0, 500, 100),
    spacing: value("spacing", -1000, 1000, 0),
    angle: value("angle", -36_000, 36_000, 0),
    border: whole(field("borderstyle"), 1, 4),
    outline: value("outline", 0, 200, 2),
    shadow: value("shadow", 0, 200, 2),
    alignment: alignmentOf(field("alignment"), old),
    marginLeft: whole(field("marginl"), 0, 16_384),
    marginRight: whole(field("marginr"), 0, 16_384),
    marginVertical: whole(field("marginv"), 0, 16_384),
    encoding: field("encoding") === "" ? 1 : whole(field("encoding"), -1, 255)
  }
}

/** SSA counts 1…3 at the bottom, 5…7 at the top, 9…11 in the middle. */
const alignmentOf = (text: string, old: boolean): number => {
  if (text === "") return 2
  if (!old) return whole(text, 1, 9)
  const given = whole(text, 1, 11)
  return Math.max(1, given & 3) + ((given & 4) === 0 ? ((given & 8) === 0 ? 0 : 3) : 6)
}
