/**
 * Colours as a script must say them so that they come out right. ffmpeg's `ass` filter turns RGB into the picture's
 * numbers by BT.601 (before 7.0 whatever the picture says; overlayFilters holds newer ones to it), and players turn them
 * back by BT.709, which every output is. So the script names the colour that BT.601 makes the right numbers of. Those at
 * the corners of the cube have none: pure red and green come out a tenth too pale, greys are always exact.
 */

/** `&Hbbggrr&` of `#rrggbb` (a following alpha is ignored). */
export const assColor = (color: string): string => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b
  const [cb, cr] = [(b - y) / 1.8556, (r - y) / 1.5748]
  const [red, blue] = [y + 1.402 * cr, y + 1.772 * cb]
  const green = (y - 0.299 * red - 0.114 * blue) / 0.587
  return `&H${hex(blue)}${hex(green)}${hex(red)}&`
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
