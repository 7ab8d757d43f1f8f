import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { Line } from "../src/AssText.ts"
import { fitted, shortened, widthOf } from "../src/TextFit.ts"

const ROOM = 20
const lines = (...all: ReadonlyArray<string>): ReadonlyArray<Line> => all.map((text) => [{ text }])
const texts = (all: ReadonlyArray<Line>) => all.map((line) => line.map((span) => span.text).join(""))

describe("a caption", () => {
  it("stays as its author broke it where that fits", () => {
    const { lines: kept, scale } = fitted(lines("- Where to?", "- Home."), ROOM)
    assert.deepStrictEqual([texts(kept), scale], [["- Where to?", "- Home."], 1])
  })

  it("is one paragraph where it does not, which libass breaks", () => {
    const [first, second] = ["A line that is longer than there is room for in this picture,", "and a rest"]
    const { lines: kept, scale } = fitted(lines(first, second), ROOM)
    assert.deepStrictEqual([texts(kept), scale], [[`${first} ${second}`], 1])
  })

  it("becomes smaller by steps when two lines do not hold it, to six tenths", () => {
    const words = (count: number) => fitted(lines("word ".repeat(count).trim()), ROOM).scale
    assert.deepStrictEqual([10, 18, 22, 26, 30, 60].map(words), [1, 1, 0.9, 0.7, 0.6, 0.6])
  })

  it("is broken at words where they stand without blanks, into even lines that no closing mark begins", () => {
    const text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
    const { lines: broken } = fitted(lines(text), 16)
    assert.strictEqual(texts(broken).join(""), text)
    assert.strictEqual(broken.length, 2)
    for (const line of texts(broken)) {
      assert.isAtMost(widthOf(line), 16)
      assert.isFalse(/^[、。]/u.test(line))
    }
  })

  it("loses nothing, and keeps its looks, however it is broken", () => {
    const word = fc.oneof(
      fc.string({ minLength: 1, maxLength: 12 }),
      fc.constantFrom("猫である", "สวัสดีครับ", "x".repeat(90))
    )
    const span = fc.record({ text: word, italic: fc.constantFrom(true, false) })
    fc.assert(
      fc.property(fc.array(fc.array(span, { minLength: 1, maxLength: 6 }), { maxLength: 5 }), (written) => {
        const { lines: kept, scale } = fitted(written, ROOM)
        const letters = (all: ReadonlyArray<Line>, italic: boolean) =>
          all
            .flat()
            .filter((one) => one.italic === italic || (one.italic === undefined && !italic))
            .map((one) => one.text)
            .join("")
            .replaceAll(" ", "")
        for (const italic of [true, false]) assert.strictEqual(letters(kept, italic), letters(written, italic))
        assert.isTrue(scale >= 0.6 && scale <= 1)
      })
    )
  })
})

describe("a name", () => {
  it("is cut to its room, between what a reader takes for letters", () => {
    assert.strictEqual(shortened("short", 10), "short")
    const cut = shortened("👨‍👩‍👧".repeat(40), 10)
    assert.isTrue(cut.endsWith("👨‍👩‍👧…"))
    assert.isAtMost(widthOf(cut), 10)
  })
})
