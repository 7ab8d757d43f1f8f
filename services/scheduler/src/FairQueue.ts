import type { UserId } from "@reelay/contracts/Ids"
import { Heap } from "./Heap.ts"

/** 0 is the most urgent. */
export type Class = 0 | 1 | 2
export const CLASSES = [0, 1, 2] as const

/** How much a user has already: who has least comes first, and among equals who was served longest ago. */
export interface Share {
  load: number
  turn: number
}

export interface Waiting {
  readonly user: UserId
  readonly urgency: Class
  /** Among one user's items of one class: the lower first. */
  readonly order: number
}

interface Line<T> {
  readonly user: UserId
  readonly share: Share
  readonly items: Heap<T>
}

const earlier = (a: Share, b: Share): boolean => (a.load !== b.load ? a.load < b.load : a.turn < b.turn)

/**
 * What waits, in the order in which it is served: by class; within a class fair between users; within a user first in,
 * first out. Every operation is O(log n). Shares belong to the caller, who says `moved` when one changed.
 */
export class FairQueue<T extends Waiting> {
  readonly #shareOf: (user: UserId) => Share
  readonly #classes: ReadonlyArray<{ readonly heap: Heap<Line<T>>; readonly lines: Map<UserId, Line<T>> }>
  #size = 0

  constructor(shareOf: (user: UserId) => Share) {
    this.#shareOf = shareOf
    this.#classes = CLASSES.map(() => ({
      heap: new Heap<Line<T>>((a, b) => earlier(a.share, b.share)),
      lines: new Map()
    }))
  }

  get size(): number {
    return this.#size
  }

  add(item: T): void {
    const { heap, lines } = this.#at(item.urgency)
    let line = lines.get(item.user)
    if (line === undefined) {
      line = {
        user: item.user,
        share: this.#shareOf(item.user),
        items: new Heap<T>((a, b) => a.order < b.order)
      }
      lines.set(item.user, line)
    }
    if (line.items.has(item)) return
    line.items.add(item)
    this.#size++
    heap.add(line)
  }

  remove(item: T): void {
    const { heap, lines } = this.#at(item.urgency)
    const line = lines.get(item.user)
    if (line === undefined || !line.items.remove(item)) return
    this.#size--
    if (line.items.size > 0) return
    heap.remove(line)
    lines.delete(item.user)
  }

  /** The user's share changed. */
  moved(user: UserId): void {
    for (const { heap, lines } of this.#classes) {
      const line = lines.get(user)
      if (line !== undefined) heap.moved(line)
    }
  }

  /** The next of a class, unless all who wait there have `cap` or more. */
  head(urgency: Class, cap = Number.POSITIVE_INFINITY): T | undefined {
    const line = this.#at(urgency).heap.peek()
    return line === undefined || line.share.load >= cap ? undefined : line.items.peek()
  }

  /** The next of all. */
  first(): T | undefined {
    for (const urgency of CLASSES) {
      const item = this.head(urgency)
      if (item !== undefined) return item
    }
    return undefined
  }

  /** Whether this user waits for anything here. */
  has(user: UserId): boolean {
    return this.#classes.some(({ lines }) => lines.has(user))
  }

  /** Everything, in no order. */
  *values(): IterableIterator<T> {
    for (const { lines } of this.#classes) for (const line of lines.values()) yield* line.items.values()
  }

  #at(urgency: Class) {
    const found = this.#classes[urgency]
    if (found === undefined) throw new Error(`no class ${urgency}`)
    return found
  }
}
