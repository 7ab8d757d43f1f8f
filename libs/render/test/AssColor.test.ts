import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { assAlpha, assColor, opacityOf } from "../src/AssColor.ts"

const hex = (value: number) => value.toString(16).padStart(2, "0")
/** Red, green and blue of what a script says. */
const parts = (ass: string) => [6, 4, 2].map((at) => Number.parseInt(ass.slice(at, at + 2), 16))

describe("a colour in a script", () => {
  it("is itself where it is grey", () => {
    for (let value = 0; value < 256; value++) {
      const grey = assColor(`#${hex(value).repeat(3)}`)
      assert.strictEqual(grey, `&H${hex(value).repeat(3)}&`.toUpperCase())
    }
  })

  it("comes back from BT.601's numbers by BT.709 as what was meant", () => {
    const byte = fc.integer({ min: 64, max: 192 })
    fc.assert(
      fc.property(byte, byte, byte, (r, g, b) => {
        const [dr = 0, dg = 0, db = 0] = parts(assColor(`#${hex(r)}${hex(g)}${hex(b)}`))
        // What no BT.601 colour stands for is as near as it can be.
        if ([dr, dg, db].some((part) => part === 0 || part === 255)) return
        const y = 0.299 * dr + 0.587 * dg + 0.114 * db
        const [cb, cr] = [(db - y) / 1.772, (dr - y) / 1.402]
        const shown = [y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb]
        for (const [i, meant] of [r, g, b].entries()) assert.closeTo(shown[i] ?? 0, meant, 2)
      })
    )
  })

  it("says opacity the other way round", () => {
    assert.deepStrictEqual([1, 0.5, 0].map(assAlpha), ["00", "80", "FF"])
    assert.deepStrictEqual(["#123456", "#12345680", "#12345600"].map(opacityOf), [1, 128 / 255, 0])
  })
})
