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
