import { copyFile } from "node:fs/promises"
import { generated } from "./Generated.ts"
import { paint } from "./Numbered.ts"

/** How a test's source file is made. Frame n carries the number n. */
export interface SourceRecipe {
  /** Extension decides the container. */
  readonly extension: string
  readonly frames: number
  /** The number that the first frame carries; 0 unless told. */
  readonly first?: number
  readonly width?: number
  readonly height?: number
  /** Frames per second before `pts` moves them. */
  readonly rate?: string
  /** An expression of setpts for a variable rate; time base is 1/90000. */
  readonly pts?: string
  readonly codec?: ReadonlyArray<string>
  /** Filters of the picture, after `pts`. */
  readonly filters?: string
  /** Input options and input of the sound. */
  readonly sound?: ReadonlyArray<string>
  readonly soundCodec?: ReadonlyArray<string>
  /** Options of the muxer. */
  readonly output?: ReadonlyArray<string>
  /** Copied from this second on: frames before it are kept, but hidden by an edit list. */
  readonly copiedFrom?: number
  /** Degrees clockwise by which a player is told to turn it. */
  readonly turned?: number
}

export const H264 = [
  "-c:v",
  "libx264",
  "-preset",
  "ultrafast",
  "-crf",
  "20",
  "-g",
  "50",
  "-bf",
  "2",
  "-pix_fmt",
  "yuv420p"
]

/** The source as such, one for all who ask for the same: copy it before you change it. */
export const source = async (recipe: SourceRecipe): Promise<string> => {
  const { copiedFrom, extension, first = 0, frames, height = 64, rate = "25", turned, width = 96 } = recipe
  const raw = Buffer.concat(Array.from({ length: frames }, (_, n) => paint(first + n, width, height)))
  const timing = recipe.pts === undefined ? [] : ["settb=1/90000", `setpts='${recipe.pts}'`]
  const filters = [...timing, ...(recipe.filters === undefined ? [] : [recipe.filters])]
  const input = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${width}x${height}`, "-r", rate, "-i", "pipe:0"]
  const made = await generated(
    extension,
    [
      ...input,
      ...(recipe.sound === undefined ? [] : [...recipe.sound, "-map", "0:v", "-map", "1:a"]),
      ...(filters.length === 0 ? [] : ["-vf", filters.join(",")]),
      ...(recipe.pts === undefined ? [] : ["-fps_mode", "passthrough", "-enc_time_base", "1:90000"]),
      ...(recipe.codec ?? H264),
      ...(recipe.sound === undefined ? [] : (recipe.soundCodec ?? ["-c:a", "aac"])),
      ...(recipe.output ?? [])
    ],
    raw
  )
  if (copiedFrom === undefined && turned === undefined) return made
  return generated(extension, [
    ...(copiedFrom === undefined ? [] : ["-ss", String(copiedFrom)]),
    "-i",
    made,
    // ffmpeg 5.1 writes what it is told the other way round; ffprobe shows what players do.
    ...(turned === undefined ? [] : ["-metadata:s:v:0", `rotate=${360 - turned}`]),
    "-c",
    "copy"
  ])
}

/** The same as a file of the test's own. */
export const makeSource = async (folder: string, name: string, recipe: SourceRecipe): Promise<string> => {
  const path = `${folder}/${name}.${recipe.extension}`
  await copyFile(await source(recipe), path)
  return path
}
