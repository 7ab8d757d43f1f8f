import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { startOf } from "./ProcessLock.mjs"

/** A process' parent and command line; null when it is gone. */
const lookAt = (pid) => {
  if (process.platform !== "linux") {
    const ps = spawnSync("ps", ["-o", "ppid=,args=", "-p", String(pid)], { encoding: "utf8" })
    const found = /^\s*(\d+)\s+(.*)/.exec(ps.stdout ?? "")
    return found === null ? null : { parent: Number(found[1]), command: found[2] }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return {
      parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]),
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8")
    }
  } catch {
    return null
  }
}

/**
 * The npm that runs us, where one does: our parent, or the parent of the shell that it starts scripts with. Nothing
 * tells us when it is killed with -9, so that we have to look.
 */
export const npmAbove = () => {
  if (process.env.npm_lifecycle_event === undefined) return null
  const parent = lookAt(process.ppid)
  if (parent === null) return null
  const pid = parent.command.includes("launch.mjs") ? parent.parent : process.ppid
  const start = startOf(pid)
  return start === null ? null : { pid, start }
}
