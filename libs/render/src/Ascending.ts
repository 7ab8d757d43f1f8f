/** Place of the last element ≤ `bound` in an ascending list, −1 for none. */
export const lastAtMost = (ascending: ArrayLike<number>, bound: number): number => {
  let [low, high] = [-1, ascending.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((ascending[middle] ?? Infinity) <= bound) low = middle
    else high = middle - 1
  }
  return low
}
