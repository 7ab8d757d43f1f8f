import { execa } from "execa"
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
        const upload = await execa("curl", ["-sS", "--data-binary", `@${source}`, `${url}/api/videos?name=source.mp4`])
        const { id: videoId } = JSON.parse(upload.stdout) as { readonly id: string }
        const millis: Array<number> = []
        for (let i = 0; i < RUNS; i++) {
          const begun = performance.timeOrigin + performance.now()
          const response = await fetch(`${url}/api/exports`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({
              videoId,
              segments: [{ start: i / 30, end: i / 30 + 1 }],
              settings: { resolution: "source", mode: "fast" }
            })
          })
          const { id } = (await response.json()) as { readonly id: string }
          let state = ""
          while (state !== "completed") {
            await new Promise((done) => setTimeout(done, 50))
            const found = (await (await fetch(`${url}/api/exports/${id}`)).json()) as { readonly status: string }
            state = found.status
            if (state === "failed") throw new Error(JSON.stringify(found))
          }
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
