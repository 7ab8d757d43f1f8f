import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { allowance, type Entry, evict } from "../src/Eviction.ts"

const sum = (entries: ReadonlyArray<Entry>) => entries.reduce((total, { bytes }) => total + bytes, 0)

describe("evict", () => {
  const cache = fc
    .uniqueArray(fc.nat(200), { maxLength: 30 })
    .chain((times) =>
      fc.tuple(
        ...times.map((usedMillis, n) =>
          fc.record({ folder: fc.constant(`cache/u/${n}/`), bytes: fc.nat(50), usedMillis: fc.constant(usedMillis) })
        )
      )
    )

  it("gives up the least recently used, no more than it must, and nothing that is live or frees nothing", () => {
    fc.assert(
      fc.property(cache, fc.nat(1000), fc.func(fc.boolean()), (entries: ReadonlyArray<Entry>, allowed, live) => {
        const isLive = ({ folder }: Entry) => live(folder)
        const victims = evict(entries, allowed, isLive)
        const kept = entries.filter((entry) => !victims.includes(entry))
        const mayGo = (entry: Entry) => !isLive(entry) && entry.bytes > 0
        assert.isTrue(victims.every(mayGo))
        // It fits, or nothing more could go.
        assert.isTrue(sum(kept) <= allowed || !kept.some(mayGo))
        // Without the last of them it would not have fitted.
        if (victims.length > 0) assert.isAbove(sum(kept) + (victims.at(-1)?.bytes ?? 0), allowed)
        const latest = Math.max(-1, ...victims.map(({ usedMillis }) => usedMillis))
        assert.isTrue(kept.filter(mayGo).every(({ usedMillis }) => usedMillis > latest))
      })
    )
  })
})

describe("allowance", () => {
  const unset = { bytes: null, free: null }
  it("is a fifth of the disk, and leaves a twentieth of it free", () => {
    assert.strictEqual(allowance(unset, { free: 500, total: 1000 }, 900), 200)
    assert.strictEqual(allowance(unset, { free: 20, total: 1000 }, 100), 70)
    assert.strictEqual(allowance(unset, { free: 0, total: 1000 }, 10), 0)
  })
  it("is what an operator says", () => {
    assert.strictEqual(allowance({ bytes: 300, free: 0 }, { free: 0, total: 1000 }, 900), 300)
    assert.strictEqual(allowance({ bytes: 300, free: 100 }, { free: 40, total: 1000 }, 200), 140)
  })
  it("has no bound where the store has no end", () => {
    assert.strictEqual(allowance(unset, { free: null, total: null }, 900), Number.POSITIVE_INFINITY)
  })
})
