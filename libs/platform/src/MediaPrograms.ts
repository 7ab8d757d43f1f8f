import { Config } from "effect"
import { resolve } from "node:path"

/** A name on the PATH, or a path: absolute, because programs are run from other folders than ours. */
const program = (name: string, otherwise: string) =>
  Config.NonEmptyString(name).pipe(
    Config.withDefault(otherwise),
    Config.map((file) => (file.includes("/") ? resolve(file) : file))
  )

/** The tools that read and write media. */
export const mediaPrograms = Config.all({
  ffmpeg: program("REELAY_FFMPEG", "ffmpeg"),
  ffprobe: program("REELAY_FFPROBE", "ffprobe")
})
