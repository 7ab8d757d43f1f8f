import type { Packet } from "./Packets.ts"

const KEY = 1
const DISCARD = 2
const FIRST_ROOM = 4096

/** Packets of a stream in file order, as columns: 25 bytes each, where an object of its own takes a hundred. */
export class PacketTable {
  #pts = new Float64Array(FIRST_ROOM)
  #durations = new Float64Array(FIRST_ROOM)
  #positions = new Float64Array(FIRST_ROOM)
  #flags = new Uint8Array(FIRST_ROOM)
  #length = 0

  get length(): number {
    return this.#length
  }

  add(packet: Packet): void {
    if (this.#length === this.#flags.length) this.#grow()
    const row = this.#length++
    this.#pts[row] = packet.pts ?? Number.NaN
    this.#durations[row] = packet.duration
    this.#positions[row] = packet.position
    this.#flags[row] = (packet.key ? KEY : 0) | (packet.discard ? DISCARD : 0)
  }

  at(row: number): Packet {
    const pts = this.#pts[row] ?? Number.NaN
    const flags = this.#flags[row] ?? 0
    return {
      pts: Number.isNaN(pts) ? null : pts,
      duration: this.#durations[row] ?? 0,
      position: this.#positions[row] ?? -1,
      key: (flags & KEY) !== 0,
      discard: (flags & DISCARD) !== 0
    }
  }

  *[Symbol.iterator](): IterableIterator<Packet> {
    for (let row = 0; row < this.#length; row++) yield this.at(row)
  }

  #grow(): void {
    const room = 2 * this.#flags.length
    const wider = (column: Float64Array) => {
      const grown = new Float64Array(room)
      grown.set(column)
      return grown
    }
    this.#pts = wider(this.#pts)
    this.#durations = wider(this.#durations)
    this.#positions = wider(this.#positions)
    const flags = new Uint8Array(room)
    flags.set(this.#flags)
    this.#flags = flags
  }
}

/** What is to be known of every stream, whether its packets are kept or not. */
export class StreamTally {
  packets = 0
  /** Where the last packet ends, in ticks; null where none has a time. */
  end: number | null = null
  /** Some that are shown have no time. */
  untimed = false
  #firstKey = 0
  #firstShown = 0
  #keys = false
  #shown = false

  add(packet: Packet): void {
    if (packet.key && !this.#keys) [this.#keys, this.#firstKey] = [true, this.packets]
    if (!packet.discard && !this.#shown) [this.#shown, this.#firstShown] = [true, this.packets]
    if (packet.pts === null) this.untimed ||= !packet.discard
    else this.end = Math.max(this.end ?? -Infinity, packet.pts + packet.duration)
    this.packets++
  }

  /** How many packets come before the first that a decoder may show: up to a key, and what an edit list hides. */
  get head(): number {
    return Math.max(this.#firstKey, this.#firstShown)
  }
}
