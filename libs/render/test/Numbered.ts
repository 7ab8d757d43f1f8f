import { execa } from "execa"

/**
 * Pictures that say which they are: a 4×4 board of black and white cells, twelve for the number and four that never
 * change, which betray a turned or mirrored picture. Survives scaling, lossy coding and odd sizes.
 */
const CELLS = 4
const FIXED = new Map([
  [0, 1],
  [3, 0],
  [12, 1],
  [15, 0]
])
/** Low bits first, in the middle: a window that shows no more than that tells neighbours apart. */
const NUMBER_CELLS = [5, 6, 9, 10, 1, 2, 4, 7, 8, 11, 13, 14]

const [BLACK, WHITE] = [16, 235]

/** Luma of a cell (0…15, row by row) in the picture with that number. */
const cellLuma = (number: number, cell: number): number =>
  (FIXED.get(cell) ?? (number >> NUMBER_CELLS.indexOf(cell)) & 1) === 1 ? WHITE : BLACK

const cellAt = (x: number, y: number): number => Math.floor(y * CELLS) * CELLS + Math.floor(x * CELLS)

export const paint = (number: number, width: number, height: number): Uint8Array => {
  const picture = new Uint8Array(width * height)
  let above = -1
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * CELLS) / height)
    if (row === above) {
      picture.copyWithin(y * width, (y - 1) * width, y * width)
      continue
    }
    above = row
    for (let x = 0; x < width; x++) picture[y * width + x] = cellLuma(number, cellAt(x / width, y / height))
  }
  return picture
}

/** The number in a picture; −1 when the fixed cells are not where they belong. */
export const readNumber = (picture: Uint8Array, width: number, height: number): number => {
  const bit = (cell: number): number => {
    const x = Math.floor((((cell % CELLS) + 0.5) * width) / CELLS)
    const y = Math.floor(((Math.floor(cell / CELLS) + 0.5) * height) / CELLS)
    let sum = 0
    for (const dx of [-1, 0, 1]) for (const dy of [-1, 0, 1]) sum += picture[(y + dy) * width + x + dx] ?? 0
    return sum / 9 > 125 ? 1 : 0
  }
  for (const [cell, value] of FIXED) if (bit(cell) !== value) return -1
  return NUMBER_CELLS.reduce((number, cell, place) => number | (bit(cell) << place), 0)
}

/** Every frame of a file in order of presentation, as luma, 0…255; brought to that size if it has another. */
export const readFrames = async (path: string, width: number, height: number): Promise<ReadonlyArray<Uint8Array>> => {
  const out = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
  const { stdout } = await execa(
    "ffmpeg",
    ["-v", "error", "-xerror", "-i", path, "-map", "0:v:0", "-vf", `scale=${width}:${height}:flags=area`, ...out],
    // A pixel may have a newline's value.
    { stripFinalNewline: false, encoding: "buffer", maxBuffer: 1 << 30 }
  )
  const size = width * height
  return Array.from({ length: stdout.length / size }, (_, i) => stdout.subarray(i * size, (i + 1) * size))
}

/** The numbers of every frame of a file, in order of presentation. Any complaint of the decoder is an error. */
export const readNumbers = async (path: string, width: number, height: number): Promise<ReadonlyArray<number>> =>
  (await readFrames(path, width, height)).map((picture) => readNumber(picture, width, height))

/** Luma at a place of a numbered picture (fractions of its sides); null within `margin` of where two cells meet. */
export const lumaAt = (number: number, x: number, y: number, margin: number): number | null => {
  const inside = (at: number) =>
    at > margin && at < 1 - margin && Math.abs(at - Math.round(at * CELLS) / CELLS) > margin
  return inside(x) && inside(y) ? cellLuma(number, cellAt(x, y)) : null
}
