/**
 * Colours in scripts, so that they come out right. ffmpeg's `ass` filter turns RGB into the picture's numbers by BT.601
 * (before 7.0 whatever the picture says; overlayFilters holds newer ones to it), and players turn them back by BT.709,
 * which every output is. Most colours have another one that BT.601 makes the right numbers of; greys are their own. Those
 * at the corners of the cube (pure red, green, yellow) have none: a script that says one is drawn twice, once for the light
 * and once for the colour of the same pixels, each of which BT.601 reaches when it need not care for the other.
 */
export interface Painted {
  /** The script as it is drawn; or, with `chroma`, its light. */
  readonly text: string
  /** Its colours. Both are then drawn on numbers that are taken for those of full range. Null: there is one script. */
  readonly chroma: string | null
}

/** Before a colour's six digits (rrggbb) until it is known how the script is drawn. No text has it: it is a control. */
const MARK = "\u0001"
const MARKED = new RegExp(`${MARK}([0-9a-f]{6})`, "gu")

/** `#rrggbb` (a following alpha is ignored), for scripts that `painted` finishes. */
export const assColor = (color: string): string => `&H${marked(color)}&`
/** The same with an opacity, as styles have it. */
export const styleColor = (color: string, alpha: string): string => `&H${alpha}${marked(color)}`

const marked = (color: string): string => MARK + color.slice(1, 7).toLowerCase()

/** A script in which colours stand as above. */
export const painted = (script: string): Painted => {
  const colors = new Set([...script.matchAll(MARKED)].map(([, digits = ""]) => digits))
  const written = (how: (color: Color) => Rgb) =>
    script.replaceAll(MARKED, (_, digits: string) => {
      const [red, green, blue] = how(colorOf(digits))
      return `${hex(blue)}${hex(green)}${hex(red)}`
    })
  return [...colors].every((digits) => isReached(colorOf(digits)))
    ? { text: written(bt601), chroma: null }
    : { text: written(lightOf), chroma: written(chromaOf) }
}

/** BT.709's, within 0…1 and −½…½. */
interface Color {
  readonly y: number
  readonly cb: number
  readonly cr: number
}
type Rgb = readonly [red: number, green: number, blue: number]

const colorOf = (digits: string): Color => {
  const [r = 0, g = 0, b = 0] = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16) / 255)
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b
  return { y, cb: (b - y) / 1.8556, cr: (r - y) / 1.5748 }
}

/** The RGB that BT.601 makes these numbers of. It may lie outside of the cube. */
const bt601 = ({ cb, cr, y }: Color): Rgb => {
  const [red, blue] = [y + 1.402 * cr, y + 1.772 * cb]
  return [red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue]
}

/** How far outside: less is rounding. */
const OUTSIDE = 0.5 / 255
const isReached = (color: Color): boolean => bt601(color).every((part) => part > -OUTSIDE && part < 1 + OUTSIDE)

/** Numbers of limited range on a picture that is taken for one of full range, whose cube has room for all of BT.709's. */
const [DARKEST, LIGHTS, COLORS] = [16 / 255, 219 / 255, 224 / 255]

const lightOf = ({ y }: Color): Rgb => {
  const light = DARKEST + LIGHTS * y
  return [light, light, light]
}

/** Whatever light goes with it. */
const chromaOf = ({ cb, cr }: Color): Rgb => {
  const [red, green, blue] = bt601({ y: 0, cb: COLORS * cb, cr: COLORS * cr })
  const light = 0.5 - (Math.min(red, green, blue) + Math.max(red, green, blue)) / 2
  return [red + light, green + light, blue + light]
}

const hex = (value: number): string =>
  Math.round(255 * Math.min(1, Math.max(0, value)))
    .toString(16)
    .padStart(2, "0")
    .toUpperCase()

/** Opacity, 0…1, as ASS says it: `00` is opaque. */
export const assAlpha = (opacity: number): string => hex(1 - opacity)

/** Opacity of `#rrggbbaa`; 1 where it says nothing. */
export const opacityOf = (color: string): number =>
  color.length > 7 ? Number.parseInt(color.slice(7, 9), 16) / 255 : 1
