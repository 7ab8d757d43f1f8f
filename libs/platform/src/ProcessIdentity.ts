import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"

/**
 * Who made something that outlived it. A process number alone says nothing: it is given to others later, and means
 * another process in another container or on another host that shares the folder.
 */

/** When a process of this host began, as text that only compares equal; null when there is no such process (any more). */
export const startOf = (pid: number): string | null => {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
      // The second field is the program's name in brackets and may contain anything; the start time is the 22nd.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      // A zombie has ended: only its parent has not taken notice, and where that is a careless init, never will.
      return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null)
    }
    const began = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim()
    return began === "" ? null : began.replaceAll(/[^A-Za-z0-9]/g, "")
  } catch {
    return null
  }
}

const firstLine = (read: () => string): string => {
  try {
    return read().trim()
  } catch {
    return ""
  }
}

/** This host, this boot, this process-number space. */
const host = createHash("sha256")
  .update(hostname())
  .update(firstLine(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1")))
  .update(firstLine(() => readlinkSync("/proc/self/ns/pid")))
  .digest("hex")
  .slice(0, 12)

/** A token for names of files: `<host>-<pid>-<start>`. */
export const ownIdentity: string = `${host}-${process.pid}-${startOf(process.pid) ?? "0"}`

/** Whether the process that a token names has ended: true or false where this host can know it, else null. */
export const hasEnded = (identity: string): boolean | null => {
  const parts = /^([0-9a-f]{12})-(\d+)-(\w+)/.exec(identity)
  if (parts === null || parts[1] !== host) return null
  return startOf(Number(parts[2])) !== parts[3]
}
