import { readdir, readFile } from "node:fs/promises"

/** The unit of /proc's times: 1/100 s on every Linux that Node runs on. */
const MILLIS_PER_TICK = 10

interface Stat {
  readonly parent: number
  /** Its own and that of children that have ended, in milliseconds. */
  readonly millis: number
}

const statOf = async (pid: string): Promise<Stat | null> => {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null)
  if (text === null) return null
  // The name before it may hold spaces and brackets. Then: state, parent, …, utime, stime, cutime, cstime.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number)
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15)
  return { parent: fields[1] ?? 0, millis: (utime + stime + cutime + cstime) * MILLIS_PER_TICK }
}

/** Processor milliseconds of processes with their children (Postgres has one for each connection), by name. */
export const processorMillis = async (
  pids: Readonly<Record<string, number>>
): Promise<Readonly<Record<string, number>>> => {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name))
  const all = new Map<number, Stat>()
  for (const name of names) {
    const stat = await statOf(name)
    if (stat !== null) all.set(Number(name), stat)
  }
  const sumOf = (pid: number): number => {
    let sum = all.get(pid)?.millis ?? 0
    for (const [child, { parent }] of all) if (parent === pid) sum += sumOf(child)
    return sum
  }
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, sumOf(pid)]))
}
