import { freePort } from "@reelay/platform/embedded/FreePort"
import { execa } from "execa"
import { join } from "node:path"
import { timedAll } from "./Figures.ts"
import { clientOf, until } from "./LeanClient.ts"

/** `SameJob.ts` as two processes, and a client of theirs. */
export const startSameJob = async (postgres: string, concurrency: number) => {
  const port = await freePort()
  const start = (role: "serve" | "work") =>
    execa(process.execPath, [join(import.meta.dirname, "SameJob.ts"), role], {
      env: { DATABASE_URL: postgres, REELAY_PORT: String(port) },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
      reject: false
    })
  const server = start("serve")
  const call = clientOf(`http://127.0.0.1:${port}`, concurrency)
  const left = async () => (await call("GET", "/")).body as { readonly left: number }
  await until("the server on graphile-worker", async () => (await left()).left === 0)
  const worker = start("work")
  let asked = 0
  const run = async (count: number) => {
    await timedAll(count, concurrency, async () => {
      const n = asked++
      const body = { videoId: "any", segments: [{ start: n, end: n + 1 }], settings: { resolution: "source" } }
      const { status } = await call("POST", "/", body, { "idempotency-key": `same-${n}` })
      if (status !== 202) throw new Error(`${status}`)
    })
    await until("all of them", async () => (await left()).left === 0)
  }
  return {
    pids: { server: server.pid ?? 0, worker: worker.pid ?? 0 },
    run,
    stop: async () => {
      for (const child of [server, worker]) child.kill("SIGKILL")
      await Promise.all([server, worker])
    }
  }
}
