import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { running, say } from "./Say.mjs"
import { toolchain } from "./Root.mjs"

const path = join(toolchain, "lock")

const read = () => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}

/** A pid alone may belong to somebody else by now: with its start time it is one process for ever (Linux only). */
const startOf = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
  } catch {
    return "?"
  }
}

const alive = (holder) => {
  const [pid, start] = holder.split(" ")
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return error.code === "EPERM"
  }
  return startOf(pid) === start
}

/** Written whole before it has its name, so that nobody ever reads half a lock. */
const take = () => {
  mkdirSync(toolchain, { recursive: true })
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, `${process.pid} ${startOf(process.pid)}`)
  try {
    linkSync(mine, path)
    return true
  } catch (error) {
    if (error.code !== "EEXIST") throw error
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Takes a dead holder's lock away. Only one can rename it; whoever caught a living one by that puts it back. */
const breakStale = (holder) => {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
    if (readFileSync(aside, "utf8") !== holder) linkSync(aside, path)
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error
  }
  rmSync(aside, { force: true })
}

/** One set-up at a time in this checkout; the others wait, and then mostly find everything done. */
export const locked = async (body) => {
  let told = false
  while (!take()) {
    const holder = read()
    if (holder === null) continue
    if (!alive(holder)) {
      breakStale(holder)
      continue
    }
    if (!told) say(`waiting for another set-up (pid ${holder.split(" ")[0]})`)
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const release = () => rmSync(path, { force: true })
  const stop = (signal) => {
    for (const child of running) child.kill(signal)
    release()
    process.exit(signal === "SIGINT" ? 130 : 143)
  }
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    return await body()
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop)
    release()
  }
}
