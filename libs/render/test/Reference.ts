import { execa } from "execa"

/**
 * A renderer that knows nothing of the compiler and nothing of ffmpeg's filters: pictures as planes of numbers, geometry
 * in plain code. What the product makes is compared with it, frame by frame.
 */
export interface Plane {
  readonly width: number
  readonly height: number
  /** Luma, 0…255, row by row. */
  readonly pixels: Float32Array
}

/** Every frame of a file, in order of presentation, upright. */
export const planesOf = async (path: string, width: number, height: number): Promise<ReadonlyArray<Plane>> => {
  const args = ["-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo"]
  const { stdout } = await execa("ffmpeg", [...args, "-pix_fmt", "gray", "pipe:1"], {
    // A pixel may have a newline's value.
    stripFinalNewline: false,
    encoding: "buffer",
    maxBuffer: 1 << 30
  })
  const size = width * height
  return Array.from({ length: stdout.length / size }, (_, i) => ({
    width,
    height,
    pixels: Float32Array.from(stdout.subarray(i * size, (i + 1) * size))
  }))
}

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Samples a side of an output pixel are averaged over. */
const OVER = 4

/** A window of a picture (in pixels, anywhere) at another size: each output pixel is the mean of what it covers. */
export const resampled = (from: Plane, window: Rectangle, width: number, height: number): Plane => {
  const pixels = new Float32Array(width * height)
  const [stepX, stepY] = [window.width / width / OVER, window.height / height / OVER]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0
      for (let v = 0; v < OVER; v++) {
        for (let u = 0; u < OVER; u++) {
          sum += at(from, window.x + (x * OVER + u + 0.5) * stepX - 0.5, window.y + (y * OVER + v + 0.5) * stepY - 0.5)
        }
      }
      pixels[y * width + x] = sum / (OVER * OVER)
    }
  }
  return { width, height, pixels }
}

/** Between pixels, straight. */
const at = ({ height, pixels, width }: Plane, x: number, y: number): number => {
  const [left, top] = [Math.floor(x), Math.floor(y)]
  const [dx, dy] = [x - left, y - top]
  const pixel = (column: number, row: number): number =>
    pixels[Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column))] ?? 0
  const above = pixel(left, top) * (1 - dx) + pixel(left + 1, top) * dx
  const below = pixel(left, top + 1) * (1 - dx) + pixel(left + 1, top + 1) * dx
  return above * (1 - dy) + below * dy
}

const BLOCK = 8
const C1 = (0.01 * 255) ** 2
const C2 = (0.03 * 255) ** 2

/** Mean structural similarity over blocks of 8×8, each half over the next (Wang et al. 2004). 1: the same. */
export const similarity = (a: Plane, b: Plane): number => {
  let [sum, blocks] = [0, 0]
  for (let top = 0; top + BLOCK <= a.height; top += BLOCK / 2) {
    for (let left = 0; left + BLOCK <= a.width; left += BLOCK / 2) {
      let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0]
      for (let y = top; y < top + BLOCK; y++) {
        for (let x = left; x < left + BLOCK; x++) {
          const [p, q] = [a.pixels[y * a.width + x] ?? 0, b.pixels[y * b.width + x] ?? 0]
          sa += p
          sb += q
          saa += p * p
          sbb += q * q
          sab += p * q
        }
      }
      const n = BLOCK * BLOCK
      const [ma, mb] = [sa / n, sb / n]
      const [va, vb, cov] = [saa / n - ma * ma, sbb / n - mb * mb, sab / n - ma * mb]
      sum += ((2 * ma * mb + C1) * (2 * cov + C2)) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
      blocks++
    }
  }
  return sum / blocks
}
