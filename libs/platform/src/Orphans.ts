import { hasEnded, ownIdentity, startOf } from "./ProcessIdentity.ts"
import { Effect } from "effect"
import { lstat, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

/**
 * What a service leaves behind when it is killed with -9. Where the kernel ends children with their parent there is
 * nothing; elsewhere whoever starts next finds the notes: one folder per service, one empty file per child process,
 * both named by process id and start time, so that a reused id is never mistaken for the process that had it.
 */
export interface Ledger {
  note(pid: number): Effect.Effect<void>
  strike(pid: number): Effect.Effect<void>
}

const nameOf = (pid: number, start: string): string => `${pid}-${start}`
const parse = (name: string): { readonly pid: number; readonly start: string } | null => {
  const at = name.indexOf("-")
  const pid = Number(name.slice(0, at))
  return at > 0 && Number.isInteger(pid) && pid > 1 ? { pid, start: name.slice(at + 1) } : null
}

/** A note makes us end a process, and the usual place is under a folder where anyone may make one of that name first. */
const isOursAlone = async (folder: string): Promise<boolean> => {
  const found = await lstat(folder).catch(() => null)
  return found !== null && found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o002) === 0
}

/** Ends the children of services that are no more. Returns how many it ended. */
export const sweep = (folder: string): Effect.Effect<number> =>
  Effect.promise(async () => {
    let ended = 0
    if (!(await isOursAlone(folder))) return ended
    for (const owner of await readdir(folder).catch(() => [])) {
      if (hasEnded(owner) !== true) continue
      for (const child of await readdir(join(folder, owner)).catch(() => [])) {
        const one = parse(child)
        if (one === null || startOf(one.pid) !== one.start) continue
        try {
          process.kill(-one.pid, "SIGKILL")
          ended++
        } catch {
          // Gone in between, or somebody else's: not ours to end.
        }
      }
      await rm(join(folder, owner), { recursive: true, force: true })
    }
    return ended
  })

/** Opens this process' own page, after sweeping those of the dead. Notes that cannot be written are done without. */
export const openLedger = Effect.fn("Orphans.openLedger")(function* (folder: string) {
  yield* Effect.promise(() => mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => undefined))
  if (!(yield* Effect.promise(() => isOursAlone(folder)))) {
    yield* Effect.logWarning("Others may write where child processes are noted: what a crash leaves is not ended", {
      folder
    })
  }
  const ended = yield* sweep(folder)
  if (ended > 0) yield* Effect.logWarning("Ended processes that a dead service had left", { processes: ended })
  const page = join(folder, ownIdentity)
  yield* Effect.promise(() => mkdir(page, { recursive: true, mode: 0o700 }).catch(() => undefined))
  const names = new Map<number, string>()
  const ledger: Ledger = {
    note: (pid) =>
      Effect.promise(async () => {
        const started = startOf(pid)
        if (started === null) return
        names.set(pid, nameOf(pid, started))
        await writeFile(join(page, nameOf(pid, started)), "").catch(() => undefined)
      }),
    strike: (pid) =>
      Effect.promise(async () => {
        const name = names.get(pid)
        names.delete(pid)
        if (name !== undefined) await rm(join(page, name), { force: true }).catch(() => undefined)
      })
  }
  return ledger
})
