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
const NUMBER_CELLS = Array.from({ length: CELLS * CELLS }, (_, cell) => cell).filter((cell) => !FIXED.has(cell))

export const paint = (number: number, width: number, height: number): Uint8Array => {
  const picture = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = Math.floor((y * CELLS) / height) * CELLS + Math.floor((x * CELLS) / width)
      const bit = FIXED.get(cell) ?? (number >> NUMBER_CELLS.indexOf(cell)) & 1
      picture[y * width + x] = bit === 1 ? 235 : 16
    }
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

/** The numbers of every frame of a file, in order of presentation. */
export const readNumbers = async (path: string, width: number, height: number): Promise<ReadonlyArray<number>> => {
  const { stdout } = await execa(
    "ffmpeg",
    [
      "-v",
      "error",
      "-i",
      path,
      "-map",
      "0:v:0",
      "-fps_mode",
      "passthrough",
      "-f",
      "rawvideo",
      "-pix_fmt",
      "gray",
      "pipe:1"
    ],
    { stripFinalNewline: false, encoding: "buffer", maxBuffer: 1 << 30 }
  )
  const size = width * height
  return Array.from({ length: stdout.length / size }, (_, i) =>
    readNumber(stdout.subarray(i * size, (i + 1) * size), width, height)
  )
}
