import type { OutputColor } from "./VideoGraph.ts"

/**
 * Colours as a script must say them so that they come out right. ffmpeg's `ass` filter turns RGB into the picture's
 * numbers by BT.601 (before 7.0 whatever the picture says; overlayFilters holds newer ones to it), and players turn them
 * back by the matrix the file names. So the script names the colour that BT.601 makes the right numbers of. Those at the
 * corners of the cube have none: pure red and green come out a tenth too pale, greys are always exact.
 */

/** Luma's shares of red and blue. */
const SHARES = {
  bt709: [0.2126, 0.0722],
  fcc: [0.3, 0.11],
  bt470bg: [0.299, 0.114],
  smpte170m: [0.299, 0.114],
  smpte240m: [0.212, 0.087],
  bt2020nc: [0.2627, 0.0593]
} as const satisfies Record<OutputColor["matrix"], readonly [number, number]>

/** Signal level of the white that captions have: 203 cd/m² in HDR (ITU-R BT.2408), where full signal would dazzle. */
const WHITE: Record<string, number> = { smpte2084: 0.58, "arib-std-b67": 0.75 }

type Triple = readonly [number, number, number]

/** `&H00bbggrr&`-style text without alpha of `#rrggbb` (a following alpha is ignored). */
export const assColor = (color: string, output: OutputColor): string => {
  const [r, g, b] = drawn(
    [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255),
    output
  )
  return `&H${hex(b)}${hex(g)}${hex(r)}&`
}

const drawn = ([r = 0, g = 0, b = 0]: ReadonlyArray<number>, { matrix, transfer }: OutputColor): Triple => {
  const white = WHITE[transfer] ?? 1
  const [kr, kb] = SHARES[matrix]
  const y = kr * r + (1 - kr - kb) * g + kb * b
  const [cb, cr] = [(b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)]
  const [lr, lb] = SHARES.smpte170m
  const [red, blue] = [y + (2 - 2 * lr) * cr, y + (2 - 2 * lb) * cb]
  return [white * red, white * ((y - lr * red - lb * blue) / (1 - lr - lb)), white * blue]
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
