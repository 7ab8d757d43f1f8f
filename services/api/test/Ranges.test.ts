import { assert, describe, it } from "@effect/vitest"
import { namesTag, rangeOf } from "../src/http/Ranges.ts"
import { isWithin } from "../src/MediaRoots.ts"

describe("ranges", () => {
  it("single ranges of a file of ten", () => {
    const cases: ReadonlyArray<readonly [string | undefined, unknown]> = [
      [undefined, { _tag: "Whole" }],
      ["bytes=0-", { _tag: "Part", start: 0, end: 10 }],
      ["bytes=2-4", { _tag: "Part", start: 2, end: 5 }],
      ["bytes=2-400", { _tag: "Part", start: 2, end: 10 }],
      ["bytes=-3", { _tag: "Part", start: 7, end: 10 }],
      ["bytes=-30", { _tag: "Part", start: 0, end: 10 }],
      ["bytes=-0", { _tag: "Unsatisfiable" }],
      ["bytes=10-", { _tag: "Unsatisfiable" }],
      ["bytes=5-2", { _tag: "Whole" }],
      ["bytes=-", { _tag: "Whole" }],
      ["bytes=0-1,3-4", { _tag: "Whole" }],
      ["lines=1-2", { _tag: "Whole" }]
    ]
    for (const [header, answer] of cases) assert.deepStrictEqual<unknown>(rangeOf(header, 10), answer, header)
    assert.deepStrictEqual(rangeOf("bytes=-5", 0), { _tag: "Unsatisfiable" })
  })
  it("tags", () => {
    assert.isTrue(namesTag(`"a", W/"b"`, `"b"`))
    assert.isTrue(namesTag("*", `"b"`))
    assert.isFalse(namesTag(`"a"`, `"b"`))
    assert.isFalse(namesTag(undefined, `"b"`))
  })
})

describe("paths", () => {
  it("within is within", () => {
    for (const path of ["/m", "/m/a", "/m/a/b", "/m/..a"]) assert.isTrue(isWithin("/m", path), path)
    for (const path of ["/", "/n", "/ma", "/m/../n", "/m/a/../../n"]) assert.isFalse(isWithin("/m", path), path)
    assert.isTrue(isWithin("/", "/any"))
  })
})
