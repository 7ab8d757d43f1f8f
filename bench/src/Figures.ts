/** Small statistics for people: sorted, no interpolation. */
export const percentile = (values: ReadonlyArray<number>, p: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}
export const median = (values: ReadonlyArray<number>): number => percentile(values, 50)

/** `p50 1.2 ms, p99 3.4 ms` */
export const latency = (millis: ReadonlyArray<number>): string =>
  `p50 ${percentile(millis, 50).toFixed(1)} ms, p99 ${percentile(millis, 99).toFixed(1)} ms (n = ${millis.length})`

/** Runs `work` for 0…count−1, at most `concurrency` at once; each one's milliseconds. */
export const timedAll = async (
  count: number,
  concurrency: number,
  work: (i: number) => Promise<unknown>
): Promise<ReadonlyArray<number>> => {
  const millis: Array<number> = []
  let next = 0
  const lane = async () => {
    for (let i = next++; i < count; i = next++) {
      const begun = performance.now()
      await work(i)
      millis.push(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return millis
}

/** Seconds that it took. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

/** Both in turns, so that whatever else the machine does hits both; the median of each, in seconds. */
export const sideBySide = async (
  one: (run: number) => Promise<unknown>,
  other: (run: number) => Promise<unknown>,
  runs: number
): Promise<readonly [number, number]> => {
  const [ones, others]: [Array<number>, Array<number>] = [[], []]
  for (let run = 0; run < runs; run++) {
    ones.push(await timed(() => one(run)))
    others.push(await timed(() => other(run)))
  }
  return [median(ones), median(others)]
}

/** A line with two times and their ratio. */
export const besides = (what: string, ours: number, theirs: number): string =>
  `  ${what.padEnd(72)} ${ours.toFixed(2)} s : ${theirs.toFixed(2)} s = ${(ours / theirs).toFixed(2)}×`
