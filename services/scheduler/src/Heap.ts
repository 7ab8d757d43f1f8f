/**
 * A binary heap that knows where its elements are, so that any of them can be taken out or moved in O(log n). Ours,
 * because what Effect has (TxPriorityQueue) is transactional and cannot re-order an element whose rank changed.
 */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean
  readonly #items: Array<T> = []
  readonly #places = new Map<T, number>()

  /** `before(a, b)`: a comes out earlier. A strict order. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  has(item: T): boolean {
    return this.#places.has(item)
  }

  add(item: T): void {
    if (this.#places.has(item)) return this.moved(item)
    this.#items.push(item)
    this.#places.set(item, this.#items.length - 1)
    this.#up(this.#items.length - 1)
  }

  /** Whether it was there. */
  remove(item: T): boolean {
    const place = this.#places.get(item)
    if (place === undefined) return false
    this.#places.delete(item)
    const last = this.#items.pop()
    if (last !== undefined && place < this.#items.length) {
      this.#put(last, place)
      this.#up(place)
      this.#down(this.#places.get(last) ?? place)
    }
    return true
  }

  /** An element's rank changed. */
  moved(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#up(place)
    this.#down(this.#places.get(item) ?? place)
  }

  /** All elements, in no order. */
  values(): IterableIterator<T> {
    return this.#items.values()
  }

  #put(item: T, place: number): void {
    this.#items[place] = item
    this.#places.set(item, place)
  }

  #up(start: number): void {
    let place = start
    const item = this.#items[place]
    if (item === undefined) return
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = this.#items[parent]
      if (above === undefined || !this.#before(item, above)) break
      this.#put(above, place)
      place = parent
    }
    this.#put(item, place)
  }

  #down(start: number): void {
    let place = start
    const item = this.#items[place]
    if (item === undefined) return
    for (;;) {
      const left = this.#items[2 * place + 1]
      const right = this.#items[2 * place + 2]
      if (left === undefined) break
      const lower = right !== undefined && this.#before(right, left) ? right : left
      if (!this.#before(lower, item)) break
      const next = lower === left ? 2 * place + 1 : 2 * place + 2
      this.#put(lower, place)
      place = next
    }
    this.#put(item, place)
  }
}
