import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { execFileSync } from "node:child_process"

/** What runs on this machine, for tests that nothing is left running. Linux. */

const readOr = (read: () => string): string => {
  try {
    return read()
  } catch {
    return ""
  }
}

/** The executable of a process; empty when it has ended. */
export const programOf = (pid: number): string => readOr(() => readlinkSync(`/proc/${pid}/exe`))

/** Programs other than node whose command line names this folder. */
export const processesIn = (folder: string): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (pid) =>
        readOr(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")).includes(folder) && !programOf(pid).endsWith("/node")
    )

const tryBubblewrap = (): boolean => {
  try {
    execFileSync("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
export const bubblewrapWorks = tryBubblewrap()
