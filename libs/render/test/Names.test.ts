import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { entryName, outputName, outputStem, safeStem } from "../src/Names.ts"

describe("Names", () => {
  it("keeps what people wrote", () => {
    assert.strictEqual(outputStem("Urlaub am Öresund", "720p"), "Urlaub am Öresund.720p")
    assert.strictEqual(outputStem("夏の旅 🏖️ 👩‍👩‍👧", "4k"), "夏の旅 🏖️ 👩‍👩‍👧.4k")
    assert.strictEqual(outputName(outputStem("holiday.mp4", "source"), "webm"), "holiday.source.webm")
    assert.strictEqual(entryName(0, 3, "first.MOV", "mp4"), "01 first.mp4")
    assert.strictEqual(entryName(99, 120, "x", "mov"), "100 x.mov")
    assert.strictEqual(entryName(4, 120, "x", "mov"), "005 x.mov")
  })

  it("drops what climbs, hides or deceives", () => {
    const names: ReadonlyArray<readonly [string, string]> = [
      ["../../etc/passwd", "etc-passwd"],
      ['a/b\\c:d*e?f"g<h>i|j', "a-b-c-d-e-f-g-h-i-j"],
      [".hidden", "hidden"],
      ["-rf", "rf"],
      ["trailing. . ", "trailing"],
      ["con", "_con"],
      ["COM1.clip", "_COM1.clip"],
      ["console", "console"],
      ["exe\u202emp4.txt", "exe mp4.txt"],
      ["a\u0000b\nc", "a b c"],
      ["\ud800", "video"],
      ["", "video"],
      ["...", "video"],
      ["e\u0301", "é"]
    ]
    for (const [given, safe] of names) assert.strictEqual(safeStem(given), safe, JSON.stringify(given))
  })

  it("is short enough, and cuts between characters", () => {
    assert.strictEqual(safeStem("👩‍👩‍👧".repeat(40)), "👩‍👩‍👧".repeat(10))
    assert.isAtMost(new TextEncoder().encode(outputName(outputStem("ä".repeat(300), "1080p"), "webm")).length, 255)
  })

  it("is one safe path segment whatever was typed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 260 }), (text) => {
        const name = outputName(outputStem(text, "720p"), "mp4")
        assert.match(name, /^[^<>:"/\\|?*\p{Cc}]+\.720p\.mp4$/u)
        assert.notMatch(name, /^[\s.-]|[\s.]$/u)
        assert.isTrue(name.isWellFormed())
        assert.isAtMost(new TextEncoder().encode(name).length, 255)
        // Safe names stay as they are.
        assert.strictEqual(safeStem(safeStem(text)), safeStem(text))
      })
    )
  })
})
