import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { readLock, renoteLock, runs, startOf, tryLock, unlock } from "./ProcessLock.mjs"
import { toolchain } from "./Root.mjs"
import { say, watchSteps } from "./Say.mjs"

const path = join(toolchain, "lock")
const pause = () => new Promise((resolve) => setTimeout(resolve, 100))

const killStep = ({ pid }) => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch (error) {
    if (error.code !== "ESRCH") throw error
  }
}

/** What a killed set-up was doing must not go on beside us: two `npm ci` at once ruin each other's work. */
const endStaleStep = async () => {
  const holder = readLock(path)
  const step = holder?.step
  if (holder === null || runs(holder) || typeof step?.pid !== "number") return
  while (runs(step)) {
    killStep(step)
    await pause()
  }
}

/** One set-up at a time in this checkout; the others wait, and then mostly find everything done. */
export const locked = async (body) => {
  mkdirSync(toolchain, { recursive: true })
  await endStaleStep()
  let told = false
  for (let holder = tryLock(path); holder !== null; holder = tryLock(path)) {
    if (!told) say(`waiting for another set-up (pid ${holder.pid})`)
    told = true
    await pause()
    await endStaleStep()
  }
  let step = null
  watchSteps((pid) => {
    step = pid === null ? null : { pid, start: startOf(pid) }
    renoteLock(path, { step })
  })
  const stop = (signal) => {
    if (step !== null) killStep(step)
    unlock(path)
    process.exit(signal === "SIGINT" ? 130 : 143)
  }
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    return await body()
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop)
    unlock(path)
  }
}
