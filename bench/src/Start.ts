import { execa } from "execa"
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, submit, upload } from "./Client.ts"
import { latency } from "./Figures.ts"
import { withFarm } from "./WithFarm.ts"

/**
 * From the request to the start of the ffmpeg that encodes its first chunk, on a whole farm that is idle. A wrapper
 * around ffmpeg notes when it was called (outside the sandbox, which would not let it write).
 */
const RUNS = 30

export const start = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-start-"))
  await chmod(folder, 0o755)
  const wrapper = join(folder, "ffmpeg")
  const calls = join(folder, "calls")
  const { stdout: real } = await execa("sh", ["-c", "command -v ffmpeg"])
  await writeFile(
    wrapper,
    `#!/bin/sh\ncase "$*" in *video.graph*) date +%s%N >> '${calls}' ;; esac\nexec '${real}' "$@"\n`,
    { mode: 0o755 }
  )
  await writeFile(calls, "")
  const source = join(folder, "source.mp4")
  await execa("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=10", source])
  try {
    await withFarm(
      async ({ url }) => {
        const videoId = await upload(url, source)
        const millis: Array<number> = []
        for (let i = 0; i < RUNS; i++) {
          const begun = performance.timeOrigin + performance.now()
          const segments = [{ start: i / 30, end: i / 30 + 1 }]
          await completed(
            url,
            await submit(url, { videoId, segments, settings: { resolution: "source", mode: "fast" } })
          )
          const called = (await readFile(calls, "utf8")).trim().split("\n")[i]
          if (called === undefined) throw new Error("no ffmpeg was started for this export")
          millis.push(Number(BigInt(called) / 1000n) / 1000 - begun)
        }
        console.log(`request → its first ffmpeg started (idle farm)  ${latency(millis)}`)
      },
      { REELAY_FFMPEG: wrapper, REELAY_SANDBOX: "off" }
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
