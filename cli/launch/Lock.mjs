import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { tryLock, unlock } from "./ProcessLock.mjs"
import { toolchain } from "./Root.mjs"
import { running, say } from "./Say.mjs"

const path = join(toolchain, "lock")

const stop = (signal) => {
  for (const child of running) child.kill(signal)
  unlock(path)
  process.exit(signal === "SIGINT" ? 130 : 143)
}

/** One set-up at a time in this checkout; the others wait, and then mostly find everything done. */
export const locked = async (body) => {
  mkdirSync(toolchain, { recursive: true })
  let told = false
  for (let holder = tryLock(path); holder !== null; holder = tryLock(path)) {
    if (!told) say(`waiting for another set-up (pid ${holder.pid})`)
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    return await body()
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop)
    unlock(path)
  }
}
