import { argv } from "@reelay/render/Argv"
import { execa } from "execa"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, submit, upload } from "./Client.ts"
import { timed } from "./Figures.ts"
import { watchPeaks } from "./Peaks.ts"
import { filmed } from "./Sources.ts"
import { withFarm } from "./WithFarm.ts"

/** Seconds of film that the long ones are made of, again and again. */
const ROLL = 60

/** Whole films: how long they take, and how much memory any process has at its most. Half an hour and more. */
export const long = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-long-"))
  const roll = join(folder, "roll.mp4")
  const film = join(folder, "film.mp4")
  await filmed(roll, ROLL, 0)
  const rolls = async (minutes: number) => {
    await execa("ffmpeg", argv`-v error -y -stream_loop ${minutes - 1} -i ${roll} -map 0 -c copy ${film}`)
    const megabits = ((await stat(film)).size * 8) / (minutes * 60e6)
    return `${minutes} min of 1080p (${megabits.toFixed(1)} Mb/s)`
  }
  try {
    await withFarm(async ({ pid, url }) => {
      const exported = async (what: string, settings: object) => {
        const videoId = await upload(url, film)
        const peaks = watchPeaks(pid)
        const seconds = await timed(async () => completed(url, await submit(url, { videoId, settings })))
        const found = (await peaks.stop()).map(({ megabytes, name }) => `${name} ${megabytes.toFixed(0)} MB`)
        console.log(`  ${what}: ${(seconds / 60).toFixed(1)} min; at the most: ${found.join(", ")}`)
      }
      console.log("whole films")
      await exported(`${await rolls(30)} → 720p, mode balanced, quality medium`, { mode: "balanced" })
      // Another frame rate, or most of it would be copied. The least effort, or it would take hours on two cores.
      const high = { resolution: "source", quality: "high", mode: "fast", frameRate: 29.97 }
      await exported(`${await rolls(60)} → 1080p, mode fast, quality high`, high)
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
