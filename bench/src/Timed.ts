import { median } from "./Figures.ts"
import { processorMillis } from "./ProcessorTime.ts"

export interface Timed {
  /** A second. */
  readonly rate: number
  /** Processor milliseconds for each, by process. */
  readonly cost: Readonly<Record<string, number>>
}

/** What `count` of something take, with the processor time of these processes, their children and this one. */
export const timed = async (
  pids: Readonly<Record<string, number>>,
  count: number,
  work: () => Promise<unknown>
): Promise<Timed> => {
  const own = process.cpuUsage()
  const before = await processorMillis(pids)
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1000
  const after = await processorMillis(pids)
  const { system, user } = process.cpuUsage(own)
  const cost: Record<string, number> = {}
  for (const [name, millis] of Object.entries(after)) cost[name] = (millis - (before[name] ?? 0)) / count
  return { rate: count / seconds, cost: { ...cost, "this client": (system + user) / 1000 / count } }
}

export const totalOf = ({ cost }: Timed): number => Object.values(cost).reduce((sum, millis) => sum + millis, 0)

export const costText = (timed: Timed): string =>
  `${totalOf(timed).toFixed(2)} ms: ${Object.entries(timed.cost)
    .map(([name, millis]) => `${name} ${millis.toFixed(2)}`)
    .join(", ")}`

/** The round with the middle rate. */
export const middle = (rounds: ReadonlyArray<Timed>): Timed => {
  const rate = median(rounds.map((round) => round.rate))
  const found = rounds.find((round) => round.rate === rate)
  if (found === undefined) throw new Error("no rounds")
  return found
}
