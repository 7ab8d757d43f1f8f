import type { Look } from "./TaskCommand.ts"

const BOX_HEADER = 8
const LARGE_BOX_HEADER = 16
const UNIT_HEADER = 4
const MEDIA_DATA = 0x6d_64_61_74
/** Zeros with which some encoders fill a unit up. */
const PADDING = 16

/**
 * Whether copied H.264 is what an encoder wrote, as far as that shows without decoding it. In an MP4 file of one track the
 * media data is one unit after the other, each behind its length. Within a unit there are never two zeros before a byte below
 * 3, which is how start codes stay unmistakable: where a block of a file was lost, and is zeros or something else by now, this rule
 * is broken or lengths lead nowhere. It is for a fraction of a percent of what decoding would cost.
 */
export class UnitWalk implements Look {
  /** What has come of a box's or a unit's header. */
  readonly #header = new Uint8Array(LARGE_BOX_HEADER)
  #filled = 0
  /** Bytes to come of the media data; 0: outside of it. */
  #media = 0
  /** Bytes to come of the unit, or of the box that is skipped. */
  #left = 0
  /** Zeros in a row, up to here in the unit. */
  #zeros = 0
  #broken = false

  feed = (bytes: Uint8Array): void => {
    let at = 0
    while (at < bytes.length && !this.#broken) {
      if (this.#left === 0) {
        this.#header[this.#filled++] = bytes[at++] ?? 0
        if (this.#media > 0) this.#unit()
        else this.#box()
        continue
      }
      const end = Math.min(bytes.length, at + this.#left)
      if (this.#media > 0) this.#scan(bytes.subarray(at, end))
      this.#pass(end - at)
      at = end
    }
  }

  obstacle = (): string | null =>
    this.#broken || this.#media > 0 || this.#left > 0 ? "what is copied of the source is damaged" : null

  #number(from: number): number {
    return new DataView(this.#header.buffer).getUint32(from)
  }

  #box(): void {
    const size = this.#filled < BOX_HEADER ? 0 : this.#number(0)
    const header = size === 1 ? LARGE_BOX_HEADER : BOX_HEADER
    if (this.#filled < header) return
    this.#filled = 0
    const content = (size === 1 ? this.#number(8) * 2 ** 32 + this.#number(12) : size) - header
    if (content < 0) this.#broken = true
    else if (this.#number(4) === MEDIA_DATA) this.#media = content
    else this.#left = content
  }

  #unit(): void {
    if (this.#filled < UNIT_HEADER) return
    this.#filled = 0
    this.#zeros = 0
    this.#media -= UNIT_HEADER
    this.#left = this.#number(0)
    if (this.#left === 0 || this.#left > this.#media) this.#broken = true
  }

  #pass(bytes: number): void {
    this.#left -= bytes
    if (this.#media > 0) this.#media -= bytes
    if (this.#left === 0 && this.#zeros > PADDING) this.#broken = true
  }

  #scan(bytes: Uint8Array): void {
    let at = this.#zeros > 0 ? 0 : bytes.indexOf(0)
    while (at >= 0 && at < bytes.length) {
      const byte = bytes[at++] ?? 0
      if (byte === 0) {
        this.#zeros++
        continue
      }
      if (this.#zeros > 2 || (this.#zeros === 2 && byte < 3)) this.#broken = true
      this.#zeros = 0
      at = bytes.indexOf(0, at)
    }
  }
}
