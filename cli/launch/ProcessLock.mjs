import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"

/** Numbers of processes start anew with each boot, and Linux counts start times from it. */
const boot = () => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8)
  } catch {
    return ""
  }
}

/**
 * When the process started, as an opaque text that it shares with no other process that ever had its number; null when
 * it does not run (a zombie does not).
 */
export const startOf = (pid) => {
  if (process.platform !== "linux") {
    const ps = spawnSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { LC_ALL: "C", PATH: "/bin:/usr/bin" }
    })
    const [state = "", ...start] = (ps.stdout ?? "").trim().split(/\s+/)
    return state === "" || state.startsWith("Z") ? null : start.join(" ")
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name before may hold anything, spaces and parentheses too.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return state === "Z" || state === "X" ? null : `${boot()}-${fields[18]}`
  } catch {
    return null
  }
}

export const runs = ({ pid, start }) => startOf(pid) === start

/** Null where there is none. */
const textOf = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (error.code !== "ENOENT") throw error
    return null
  }
}

const noteIn = (text) => {
  try {
    const note = JSON.parse(text ?? "")
    return typeof note?.pid === "number" && typeof note?.start === "string" ? note : null
  } catch {
    return null
  }
}

/** What stands in a lock file, whether its writer lives or not. */
export const readLock = (path) => {
  try {
    return noteIn(textOf(path))
  } catch {
    return null
  }
}

/** A file is written whole before it has its name, so that nobody ever reads half of one. */
const written = (path, note) => {
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, JSON.stringify({ pid: process.pid, start: startOf(process.pid), ...note }))
  return mine
}

/**
 * Null when the lock is ours now, else the note of the process that has it, or that is about to take it over from a dead
 * one. To take over is a right of its own, locked in the same way under the name of what the dead one has left: without it,
 * who has seen a dead holder could take the lock away from a living one that came in between.
 */
export const tryLock = (path, note = {}) => {
  const mine = written(path, note)
  try {
    for (;;) {
      try {
        linkSync(mine, path)
        return null
      } catch (error) {
        if (error.code !== "EEXIST") throw error
      }
      const left = textOf(path)
      if (left === null) continue
      const holder = noteIn(left)
      if (holder !== null && runs(holder)) return holder
      const right = `${path}.${createHash("sha256").update(left).digest("hex").slice(0, 16)}`
      const successor = tryLock(right)
      if (successor !== null) return successor
      try {
        if (textOf(path) !== left) continue
        renameSync(mine, path)
        return null
      } finally {
        unlock(right)
      }
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** For the holder: says something else in its lock. */
export const renoteLock = (path, note) => renameSync(written(path, note), path)

export const unlock = (path) => {
  if (readLock(path)?.pid === process.pid) rmSync(path, { force: true })
}
