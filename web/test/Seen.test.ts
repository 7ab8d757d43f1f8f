import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { keepIn } from "../src/state/Keep.ts"
import { endedSince, MARKS, MEMORY, nothingSeen, parse, prune, readTo, remember } from "../src/state/Seen.ts"
import { idOf, row, START } from "./Rows.ts"

const NOW = START + 3_600_000
const running = row({ n: 1, epoch: 1, status: "processing", updated: 1000 })
const done = row({ n: 1, epoch: 1, status: "completed", updated: 60_000 })

describe("what finished while the page was closed", () => {
  it("is what was shown as active and has ended", () => {
    const seen = remember(nothingSeen, [running], NOW)
    assert.deepStrictEqual(endedSince(seen, [done]), [done])
  })

  it("is told once", () => {
    const seen = remember(remember(nothingSeen, [running], NOW), [done], NOW)
    assert.deepStrictEqual(endedSince(seen, [done]), [])
  })

  it("is what came and ended in between, too", () => {
    const seen = remember(nothingSeen, [running], NOW)
    const other = row({ n: 2, epoch: 1, status: "failed", created: 2000, updated: 5000 })
    assert.deepStrictEqual(endedSince(seen, [running, other]), [other])
  })

  it("is not what had ended before the page was left", () => {
    const early = row({ n: 2, epoch: 1, status: "completed", updated: 500 })
    assert.deepStrictEqual(endedSince(remember(nothingSeen, [running], NOW), [early]), [])
  })

  it("is not what was cancelled, and nothing at the first visit", () => {
    const cancelled = row({ n: 1, epoch: 1, status: "cancelled", updated: 60_000 })
    assert.deepStrictEqual(endedSince(remember(nothingSeen, [running], NOW), [cancelled]), [])
    assert.deepStrictEqual(endedSince(nothingSeen, [done]), [])
  })

  it("is a second ending of one that was retried", () => {
    const failed = row({ n: 1, epoch: 1, status: "failed", updated: 60_000 })
    const waiting = row({ n: 1, epoch: 1, status: "pending", updated: 70_000 })
    const seen = [failed, waiting].reduce((all, r) => remember(all, [r], NOW), nothingSeen)
    assert.strictEqual(endedSince(seen, [row({ n: 1, epoch: 2, status: "completed", updated: 80_000 })]).length, 1)
  })
})

describe("the memory", () => {
  it("survives the way through storage", () => {
    const seen = readTo(remember(nothingSeen, [running], NOW), "a:7", NOW)
    assert.deepStrictEqual(parse(JSON.stringify(seen), NOW), seen)
  })

  it("drops what is older than a day, marks, cursor and instant alike", () => {
    const seen = readTo(remember(nothingSeen, [running], NOW), "a:7", NOW)
    assert.strictEqual(parse(JSON.stringify(seen), NOW + MEMORY).cursor, "a:7")
    const late = parse(JSON.stringify(seen), NOW + MEMORY + 1)
    assert.deepStrictEqual([late.cursor, late.latest, late.marks], [null, null, {}])
  })

  it("is renewed while a page stays open, so that a long look is not forgotten", () => {
    const yesterday = remember(nothingSeen, [running], NOW)
    const today = remember(yesterday, [running], NOW + MEMORY)
    assert.strictEqual(today.marks[idOf(1)]?.at, NOW + MEMORY)
  })

  it("is not written again when nothing changed", () => {
    const seen = remember(nothingSeen, [running], NOW)
    assert.strictEqual(remember(seen, [running], NOW + 1000), seen)
    assert.strictEqual(readTo({ ...seen, cursor: "a:1" }, "a:1", NOW + 1).cursor, "a:1")
  })

  it("does not grow without bound; the newest marks stay", () => {
    const many = Array.from({ length: MARKS + 50 }, (_, n) => [idOf(n), { status: "completed" as const, at: NOW + n }])
    const kept = prune({ ...nothingSeen, at: NOW, marks: Object.fromEntries(many) }, NOW + 1000)
    assert.strictEqual(Object.keys(kept.marks).length, MARKS)
    assert.isDefined(kept.marks[idOf(MARKS + 49)])
    assert.isUndefined(kept.marks[idOf(0)])
  })

  it("takes whatever stands in storage", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => assert.deepStrictEqual(parse(text, NOW), nothingSeen))
    )
    assert.deepStrictEqual(parse(null, NOW), nothingSeen)
    assert.deepStrictEqual(parse(JSON.stringify({ ...nothingSeen, v: 2 }), NOW), nothingSeen)
  })
})

describe("storage", () => {
  const broken = (names: ReadonlyArray<string>): Storage =>
    new Proxy({} as Storage, {
      get: (_, name) => (): null => {
        if (names.includes(String(name))) throw new DOMException("no", "QuotaExceededError")
        return null
      }
    })

  it("keeps, reads and forgets", () => {
    const inside = new Map<string, string>()
    const keep = keepIn(() => ({
      getItem: (key: string) => inside.get(key) ?? null,
      setItem: (key: string, value: string) => void inside.set(key, value),
      removeItem: (key: string) => void inside.delete(key),
      clear: () => inside.clear(),
      key: () => null,
      length: 0
    }))
    assert.isTrue(keep.write("a", "1"))
    assert.strictEqual(keep.read("a"), "1")
    assert.isTrue(keep.write("a", null))
    assert.isNull(keep.read("a"))
  })

  it("full: answers that it was not kept and goes on from memory", () => {
    const keep = keepIn(() => broken(["setItem"]))
    assert.isFalse(keep.write("a", "1"))
    assert.strictEqual(keep.read("a"), "1")
    keep.write("a", null)
    assert.isNull(keep.read("a"))
  })

  it("forbidden altogether: even naming it throws", () => {
    const keep = keepIn(() => {
      throw new DOMException("no", "SecurityError")
    })
    assert.isNull(keep.read("a"))
    assert.isFalse(keep.write("a", "1"))
    assert.strictEqual(keep.read("a"), "1")
    assert.isFalse(keep.write("a", null))
    assert.isNull(keep.read("a"))
  })
})
