import { Effect } from "effect"
import { execFile } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { hasEnded, ownIdentity } from "./ProcessIdentity.ts"

/**
 * What a service leaves behind when it is killed with -9. Where the kernel ends children with their parent there is
 * nothing; elsewhere whoever starts next finds them by a mark that they bear in their environment from their first
 * moment. (A note written once the child runs would be missing for a service that is killed in between.)
 */
const MARK = "REELAY_STARTED_BY"

/** What every child process gets in its environment. */
export const marked: Readonly<Record<string, string>> = { [MARK]: ownIdentity }

const inEnvironment = new RegExp(`(?:^|[\\0 ])${MARK}=([\\w-]+)`)

/** All processes whose environment may be read (this user's own), with what made them bear the mark. */
const findMarked = async (): Promise<ReadonlyArray<{ readonly pid: number; readonly by: string }>> => {
  const found: Array<{ pid: number; by: string }> = []
  const look = (pid: number, text: string) => {
    const by = inEnvironment.exec(text)?.[1]
    if (by !== undefined) found.push({ pid, by })
  }
  if (process.platform === "linux") {
    for (const name of await readdir("/proc")) {
      const pid = Number(name)
      if (Number.isInteger(pid)) look(pid, await readFile(`/proc/${pid}/environ`, "latin1").catch(() => ""))
    }
    return found
  }
  // With -E, a BSD's `ps` prints the environment behind the command, where it may be known.
  const { stdout } = await promisify(execFile)("ps", ["-A", "-E", "-ww", "-o", "pid=,command="], {
    maxBuffer: 64 * 1024 * 1024
  }).catch(() => ({ stdout: "" }))
  for (const line of stdout.split("\n")) look(Number.parseInt(line, 10), line)
  return found
}

/** Ends the children of this user's services that are no more, whichever they were. Returns how many it ended. */
export const sweep: Effect.Effect<number> = Effect.promise(async () => {
  let ended = 0
  for (const { pid, by } of await findMarked()) {
    if (hasEnded(by) !== true) continue
    try {
      process.kill(pid, "SIGKILL")
      ended++
    } catch {
      // Gone in between, or somebody else's: not ours to end.
    }
  }
  return ended
})
