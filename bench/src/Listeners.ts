import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, submit, upload } from "./Client.ts"
import { median } from "./Figures.ts"
import { withFarm } from "./WithFarm.ts"

/**
 * The WebSocket is optional: the same exports with nobody listening and with many, in turns. Seconds from the request to
 * the finished file.
 */
const RUNS = 10
const LISTENERS = 20

export const listeners = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-listeners-"))
  const source = join(folder, "source.mp4")
  await execa("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=30", source])
  try {
    await withFarm(async ({ url }) => {
      const videoId = await upload(url, source)
      let asked = 0
      const once = async () => {
        const begun = performance.now()
        // Another range each time: a look-up would take no time at all.
        const segments = [{ start: asked++ / 30, end: 29 }]
        await completed(url, await submit(url, { videoId, segments, settings: { resolution: "source", mode: "fast" } }))
        return (performance.now() - begun) / 1000
      }
      const listening = async () => {
        let heard = 0
        const sockets = await Promise.all(
          Array.from({ length: LISTENERS }, async () => {
            const socket = new WebSocket(`${url.replace("http", "ws")}/ws`)
            socket.addEventListener("message", () => heard++)
            await new Promise((open) => socket.addEventListener("open", open, { once: true }))
            socket.send(JSON.stringify({ type: "subscribe", exports: "all" }))
            return socket
          })
        )
        const seconds = await once()
        for (const socket of sockets) socket.close()
        if (heard < LISTENERS) throw new Error("nobody heard anything")
        return seconds
      }
      await once()
      const [alone, watched]: [Array<number>, Array<number>] = [[], []]
      for (let i = 0; i < RUNS; i++) {
        alone.push(await once())
        watched.push(await listening())
      }
      console.log(
        `an export of 29 s with nobody on the WebSocket ${median(alone).toFixed(2)} s, with ${LISTENERS} ${median(watched).toFixed(2)} s`
          + ` (medians of ${RUNS})`
      )
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
