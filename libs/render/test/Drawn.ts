import type { Rational } from "@reelay/contracts/Quantity"
import { execa } from "execa"
import { writeFile } from "node:fs/promises"
import type { Painted } from "../src/AssColor.ts"
import { overlayFilters } from "../src/AssScript.ts"
import type { Size } from "../src/Crop.ts"
import { highlightFilters } from "../src/Highlight.ts"
import type { Plane } from "./Reference.ts"

/** Scripts drawn over a plain picture, as a chunk draws them over its own. */
export interface Drawn {
  readonly frames: ReadonlyArray<Plane>
  /** What ffmpeg and libass said. */
  readonly said: string
}

/** What is drawn, the mask of highlights first. */
export interface Drawing {
  readonly highlights?: string | null
  readonly scripts: ReadonlyArray<Painted>
}

/** Luma of the picture that is drawn on: half-way between black and white. */
export const GROUND = 126

export const drawn = async (
  folder: string,
  scripts: ReadonlyArray<Painted> | Drawing,
  { frames, rate, size }: { readonly frames: number; readonly rate: Rational; readonly size: Size }
): Promise<Drawn> => {
  const { stderr, stdout } = await rendered(folder, scripts, { frames, rate, size, pixels: "gray" })
  const area = size.width * size.height
  return {
    frames: Array.from({ length: stdout.length / area }, (_, i) => ({
      ...size,
      pixels: Float32Array.from(stdout.subarray(i * area, (i + 1) * area))
    })),
    said: stderr
  }
}

/** Red, green and blue of one pixel of the first frame, as a player shows it that believes the file's BT.709. */
export const colorAt = async (
  folder: string,
  scripts: ReadonlyArray<Painted>,
  size: Size,
  at: { readonly x: number; readonly y: number }
): Promise<ReadonlyArray<number>> => {
  const rate = { num: 25, den: 1 }
  const { stdout } = await rendered(folder, scripts, { frames: 1, rate, size, pixels: "rgb24" })
  const place = 3 * (at.y * size.width + at.x)
  return [...stdout.subarray(place, place + 3)]
}

const rendered = async (
  folder: string,
  given: ReadonlyArray<Painted> | Drawing,
  how: { readonly frames: number; readonly rate: Rational; readonly size: Size; readonly pixels: "gray" | "rgb24" }
) => {
  const { frames, pixels, rate, size } = how
  const { highlights = null, scripts } = "scripts" in given ? given : { scripts: given }
  const file = async (name: string, text: string) => {
    await writeFile(`${folder}/${name}.ass`, text)
    return `${folder}/${name}.ass`
  }
  const paths: Array<Painted> = []
  for (const [i, { chroma, text }] of scripts.entries()) {
    paths.push({ text: await file(`${i}`, text), chroma: chroma === null ? null : await file(`${i}.chroma`, chroma) })
  }
  const mask = highlights === null ? [] : [highlightFilters(await file("mask", highlights), size, rate)]
  const graph = `${folder}/drawn.graph`
  const bt709 = "range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
  const look = pixels === "gray" ? [] : ["scale=in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int"]
  const filters = [
    "format=yuv420p",
    "lutyuv=y=126:u=128:v=128",
    ...mask,
    ...overlayFilters(paths, rate, "Over"),
    `setparams=${bt709}`
  ]
  await writeFile(graph, `[0:v]${[...filters, ...look, `format=${pixels}`].join(",\n")}[v]\n`)
  // It has so many frames and no more: what is drawn on must not go on by itself.
  const source = `color=gray:s=${size.width}x${size.height}:r=${rate.num}/${rate.den},trim=end_frame=${frames}`
  const input = ["-v", "warning", "-f", "lavfi", "-i", source, "-filter_complex_script", graph, "-map", "[v]"]
  // Some more are asked for, so that one that never ends fails too.
  const output = ["-frames:v", String(frames + 5), "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"]
  return execa("ffmpeg", [...input, ...output], { encoding: "buffer", maxBuffer: 1 << 30 }).then(
    ({ stderr, stdout }) => ({ stdout, stderr: new TextDecoder().decode(stderr) })
  )
}

/** Frames in which something is drawn. */
export const drawnOn = (frames: ReadonlyArray<Plane>): ReadonlyArray<number> =>
  frames.flatMap((plane, n) => (plane.pixels.some((pixel) => Math.abs(pixel - GROUND) > 20) ? [n] : []))

/** Around what differs from the ground by more than `least`; null: nothing does. Right and bottom are beyond it. */
export const bounds = (plane: Plane, differs = (pixel: number) => Math.abs(pixel - GROUND) > 20) => {
  let [left, top, right, bottom] = [plane.width, plane.height, 0, 0]
  for (let y = 0; y < plane.height; y++) {
    for (let x = 0; x < plane.width; x++) {
      if (!differs(plane.pixels[y * plane.width + x] ?? GROUND)) continue
      left = Math.min(left, x)
      top = Math.min(top, y)
      right = Math.max(right, x + 1)
      bottom = Math.max(bottom, y + 1)
    }
  }
  return right === 0 ? null : { left, top, right, bottom }
}
