const [SPS, PPS] = [7, 8]

/** Numbers of the parameter sets (sequence and picture) in a raw H.264 stream with start codes. */
export const setNumbers = (stream: Uint8Array): ReadonlyArray<number> => {
  const numbers = new Set<number>()
  for (let at = 0; at + 3 < stream.length; at++) {
    if (stream[at] !== 0 || stream[at + 1] !== 0 || stream[at + 2] !== 1) continue
    const type = (stream[at + 3] ?? 0) & 0x1f
    // Before its number, a sequence's set says profile, constraints and level: a byte each.
    if (type === SPS) numbers.add(golomb(stream, 8 * (at + 7)))
    if (type === PPS) numbers.add(golomb(stream, 8 * (at + 4)))
  }
  return [...numbers]
}

/** The number that an Exp-Golomb code stands for, from a bit on: as many zeros as there are digits behind the first one. */
const golomb = (bytes: Uint8Array, from: number): number => {
  const bit = (at: number) => ((bytes[at >> 3] ?? 0xff) >> (7 - (at & 7))) & 1
  let zeros = 0
  while (bit(from + zeros) === 0) zeros++
  let value = 0
  for (let at = 0; at <= zeros; at++) value = 2 * value + bit(from + zeros + at)
  return value - 1
}
