import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { UnitWalk } from "../src/UnitWalk.ts"

const box = (type: string, content: ReadonlyArray<number>): ReadonlyArray<number> => [
  ...[24, 16, 8, 0].map((shift) => ((content.length + 8) >> shift) & 0xff),
  ...new TextEncoder().encode(type),
  ...content
]
const unit = (...bytes: ReadonlyArray<number>): ReadonlyArray<number> => [
  0,
  0,
  bytes.length >> 8,
  bytes.length & 0xff,
  ...bytes
]
const file = (...units: ReadonlyArray<ReadonlyArray<number>>) => [
  ...box("ftyp", [1, 2, 3, 4]),
  ...box("free", []),
  ...box("mdat", units.flat()),
  ...box("moov", [0, 0, 0, 0, 0, 1])
]
/** In pieces of so many bytes. */
const isWhole = (bytes: ReadonlyArray<number>, size = bytes.length): boolean => {
  const walk = new UnitWalk()
  for (let at = 0; at < bytes.length; at += size) walk.feed(Uint8Array.from(bytes.slice(at, at + size)))
  return walk.obstacle() === null
}

/** What an encoder may write: zeros are told apart from start codes, and none is at the end. */
const escaped = (bytes: ReadonlyArray<number>): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (const byte of [...bytes, 0x80]) {
    if (byte < 4 && out.at(-1) === 0 && out.at(-2) === 0) out.push(3)
    out.push(byte)
  }
  return out
}
const units = fc.array(fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { maxLength: 40 }), {
  minLength: 1,
  maxLength: 6
})
const pieces = fc.integer({ min: 1, max: 50 })

describe("units of a copied stream", () => {
  it("are whole, in whatever pieces they are read", () => {
    fc.assert(
      fc.property(units, pieces, (all, size) => isWhole(file(...all.map((one) => unit(...escaped(one)))), size))
    )
    assert.isTrue(isWhole(file(unit(1, 0, 0, 3, 1), unit(1, 2, 0, 0, 0, 0), unit(7, 0, 0, 4))))
  })

  it("are not where a block of them is zeros", () => {
    const BLOCK = 40
    const long = fc.array(fc.array(fc.nat(255), { minLength: 50, maxLength: 150 }), { minLength: 1, maxLength: 6 })
    const property = fc.property(long, pieces, fc.nat(1000), (all, size, at) => {
      const bytes = file(...all.map((one) => unit(...escaped(one))))
      const [begin, end] = [28, bytes.length - 14 - BLOCK]
      const from = begin + Math.floor(((end - begin) * at) / 1000)
      return !isWhole(bytes.fill(0, from, from + BLOCK), size)
    })
    fc.assert(property)
  })

  it("are not where lengths lead nowhere, nor where a file ends too early", () => {
    const bytes = file(unit(1, 2, 3), unit(4, 5, 6))
    const wrong = bytes.with(31, 9)
    assert.isFalse(isWhole(wrong))
    assert.isFalse(isWhole(file(unit(1, 2, 3), [0, 0, 0, 0])))
    assert.isFalse(isWhole(bytes.slice(0, 34)))
    for (const code of [0, 1, 2]) assert.isFalse(isWhole(file(unit(9, 0, 0, code, 9))))
  })
})
