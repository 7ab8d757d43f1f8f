import { readdir, readFile } from "node:fs/promises"

/** Processes that end sooner than this after their most are not seen at it; programs of an encode live for seconds. */
const EVERY_MILLIS = 1000

export interface Peak {
  /** The program, or the folder of the service that Node runs. */
  readonly name: string
  readonly megabytes: number
}

const read = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "")

/** The most memory (resident) that any process of each name had at a time, among a process and its descendants. */
export const watchPeaks = (root: number): { readonly stop: () => Promise<ReadonlyArray<Peak>> } => {
  const peaks = new Map<string, number>()
  const look = async () => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name))
    const all = await Promise.all(
      pids.map(async (pid) => {
        const status = await read(`/proc/${pid}/status`)
        const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0)
        const thread = /^Name:\s+(.*)/m.exec(status)?.[1] ?? ""
        return { pid: Number(pid), parent: number("PPid"), kilobytes: number("VmHWM"), thread }
      })
    )
    const ours = new Set([root])
    // A child's number may be the smaller one.
    for (let grown = true; grown;) {
      grown = false
      for (const { parent, pid } of all) {
        if (ours.has(parent) && !ours.has(pid)) grown = ours.add(pid) !== undefined
      }
    }
    for (const { kilobytes, pid, thread } of all) {
      if (!ours.has(pid) || kilobytes === 0) continue
      const [program = "", ...args] = (await read(`/proc/${pid}/cmdline`)).split("\0")
      const service = args.map((arg) => /(\w+)\/src\/main\.ts$/.exec(arg)?.[1]).find((name) => name !== undefined)
      // One that ends just now has no command line any more.
      const name = service ?? (program.replace(/:.*/, "").split("/").at(-1) || thread)
      peaks.set(name, Math.max(peaks.get(name) ?? 0, kilobytes / 1024))
    }
  }
  let stopped = false
  const looking = (async () => {
    while (!stopped) {
      await look()
      await new Promise((done) => setTimeout(done, EVERY_MILLIS))
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await looking
      return [...peaks].map(([name, megabytes]) => ({ name, megabytes })).toSorted((a, b) => b.megabytes - a.megabytes)
    }
  }
}
