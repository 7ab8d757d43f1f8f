import { execa } from "execa"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, submit, upload } from "./Client.ts"
import { median } from "./Figures.ts"
import { withFarm } from "./WithFarm.ts"

/**
 * One 60 s export 1080p → 720p through the whole farm, submit to finished file, next to the bare ffmpeg command with
 * its default threads. Interleaved runs; medians.
 */
const RUNS = 3

export const wall = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-wall-"))
  const source = join(folder, "source.mp4")
  // Everything in it moves; without noise, which no encoder can do anything about.
  await execa("ffmpeg", [
    "-v",
    "error",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=1920x1080:r=30:d=60",
    "-f",
    "lavfi",
    "-i",
    "sine=f=440:d=60",
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "18",
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
    source
  ])
  try {
    await withFarm(async ({ url }) => {
      const videoId = await upload(url, source)
      const ours: Array<number> = []
      const bare: Array<number> = []
      let bytes = 0
      const out = join(folder, "bare.mp4")
      for (let i = 0; i < RUNS; i++) {
        const begun = performance.now()
        // One frame less each time, so that no run looks up an earlier one's chunks at its end; the rest is removed.
        bytes = await completed(
          url,
          await submit(url, { videoId, segments: [{ start: i / 30, end: 60 }], settings: { mode: "balanced" } })
        )
        ours.push((performance.now() - begun) / 1000)
        const again = performance.now()
        await execa("ffmpeg", [
          "-v",
          "error",
          "-y",
          "-ss",
          String(i / 30),
          "-i",
          source,
          "-vf",
          "scale=1280:720",
          "-c:v",
          "libx264",
          "-preset",
          "fast",
          "-crf",
          "23",
          "-maxrate",
          "4M",
          "-bufsize",
          "8M",
          "-g",
          "60",
          "-c:a",
          "aac",
          "-b:a",
          "160k",
          "-movflags",
          "+faststart",
          out
        ])
        bare.push((performance.now() - again) / 1000)
      }
      const size = (await stat(out)).size
      console.log("one 60 s export, 1080p → 720p, mode balanced, quality medium")
      console.log(
        `  submit → completed   ${median(ours).toFixed(1)} s  (${ours.map((s) => s.toFixed(1)).join(", ")}), ${bytes} bytes`
      )
      console.log(
        `  bare ffmpeg          ${median(bare).toFixed(1)} s  (${bare.map((s) => s.toFixed(1)).join(", ")}), ${size} bytes`
      )
      console.log(`  ours : bare          ${(median(ours) / median(bare)).toFixed(2)}×`)
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
