import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Small real videos of many kinds, made with ffmpeg. */
export class TinyClips {
  readonly folder: string
  private constructor(folder: string) {
    this.folder = folder
  }

  static async make(): Promise<TinyClips> {
    return new TinyClips(await mkdtemp(join(tmpdir(), "reelay-clips-")))
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Runs ffmpeg with `name` as its output. */
  async ffmpeg(name: string, ...args: ReadonlyArray<string>): Promise<string> {
    const target = this.path(name)
    await execa("ffmpeg", ["-v", "error", "-nostdin", "-y", ...args, target])
    return target
  }

  /** `seconds` of test pattern, H.264, 320x180 unless `size` says otherwise, with a tone unless `silent`. */
  async plain(
    name: string,
    options: {
      readonly seconds?: number
      readonly rate?: string
      readonly size?: string
      readonly silent?: boolean
      readonly args?: ReadonlyArray<string>
    } = {}
  ): Promise<string> {
    const { args = [], rate = "25", seconds = 2, silent = false, size = "320x180" } = options
    const picture = ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=${rate}:d=${seconds}`]
    const sound = silent ? [] : ["-f", "lavfi", "-i", `sine=frequency=440:d=${seconds}`]
    const codecs = [
      "-c:v",
      "libx264",
      "-preset",
      "ultrafast",
      "-g",
      "25",
      "-pix_fmt",
      "yuv420p",
      "-c:a",
      "aac",
      "-threads",
      "1"
    ]
    return this.ffmpeg(name, ...picture, ...sound, ...codecs, ...args)
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
