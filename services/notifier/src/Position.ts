/**
 * Where a client is in the stream of events: the WebSocket's cursor. Opaque to clients; an incarnation is one life of
 * the stream, so that the sequences of a rebuilt one are never taken for the old one's.
 */
export interface Position {
  readonly incarnation: string
  readonly sequence: number
}

/** Before NATS was ever heard: a cursor that is never known. */
export const NOWHERE: Position = { incarnation: "", sequence: 0 }

export const cursorOf = (position: Position): string => `${position.incarnation}:${position.sequence}`

/** Null: not a cursor of ours. */
export const positionOf = (cursor: string | number | null | undefined): Position | null => {
  if (typeof cursor !== "string") return null
  const colon = cursor.lastIndexOf(":")
  const sequence = Number(cursor.slice(colon + 1))
  return colon > 0 && /^\d{1,15}$/.test(cursor.slice(colon + 1))
    ? { incarnation: cursor.slice(0, colon), sequence }
    : null
}

/** About how many events back a client can resume; older ones get a snapshot. */
const REMEMBERED = 10_000

/**
 * When each of the last events was stored: a client that was away is told what changed since the time of its cursor.
 * Pure.
 */
export class History {
  #position: Position = NOWHERE
  /** Ascending. Cut in halves, so that cutting costs nothing. */
  #events: Array<{ readonly sequence: number; readonly storedMillis: number }> = []

  /** The last event that was heard and passed on. */
  get position(): Position {
    return this.#position
  }

  record(incarnation: string, sequence: number, storedMillis: number): void {
    if (incarnation !== this.#position.incarnation) this.#events = []
    this.#position = { incarnation, sequence }
    this.#events.push({ sequence, storedMillis })
    if (this.#events.length > 2 * REMEMBERED) this.#events = this.#events.slice(-REMEMBERED)
  }

  /** There are no events (any more) of that life up to there. */
  begin(position: Position): void {
    if (position.incarnation !== this.#position.incarnation) this.#events = []
    this.#position = position
  }

  /** Milliseconds since 1970, by NATS' clock, at which the client was there. Null: unknown. */
  timeOf(position: Position): number | null {
    const { incarnation, sequence } = this.#position
    if (position.incarnation !== incarnation || position.sequence > sequence) return null
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle]?.sequence ?? Infinity) <= position.sequence) low = middle + 1
      else high = middle
    }
    return this.#events[low - 1]?.storedMillis ?? null
  }
}
