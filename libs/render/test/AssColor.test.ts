import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { assAlpha, assColor, opacityOf, painted, styleColor } from "../src/AssColor.ts"

const hex = (value: number) => value.toString(16).padStart(2, "0")
/** Red, green and blue of what a script says. */
const parts = (ass: string) => [6, 4, 2].map((at) => Number.parseInt(ass.slice(at, at + 2), 16))

/** BT.601's numbers, 0…255 and around 0. */
const numbers = (ass: string) => {
  const [r = 0, g = 0, b = 0] = parts(ass)
  const y = 0.299 * r + 0.587 * g + 0.114 * b
  return { y, cb: (b - y) / 1.772, cr: (r - y) / 1.402 }
}

describe("a colour in a script", () => {
  it("is itself where it is grey", () => {
    for (let value = 0; value < 256; value++) {
      const grey = painted(assColor(`#${hex(value).repeat(3)}`))
      assert.deepStrictEqual(grey, { text: `&H${hex(value).repeat(3)}&`.toUpperCase(), chroma: null })
    }
  })

  it("comes back from BT.601's numbers by BT.709 as what was meant, in one script or in two", () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(byte, byte, byte, (r, g, b) => {
        const { chroma, text } = painted(assColor(`#${hex(r)}${hex(g)}${hex(b)}`))
        // Two are drawn on numbers of full range, which are read as limited ones.
        const wide = chroma === null ? 1 : 255 / 224
        const y = chroma === null ? numbers(text).y : ((numbers(text).y - 16) * 255) / 219
        const { cb, cr } = numbers(chroma ?? text)
        const shown = [y + 1.5748 * wide * cr, y - wide * (0.1873 * cb + 0.4681 * cr), y + 1.8556 * wide * cb]
        for (const [i, meant] of [r, g, b].entries()) assert.closeTo(shown[i] ?? 0, meant, 3)
      })
    )
  })

  it("makes two scripts of one only where it has to", () => {
    const styles = (...colors: ReadonlyArray<string>) => painted(colors.map((color) => styleColor(color, "1A")).join())
    assert.isNull(styles("#ffffff", "#808080", "#4080c0").chroma)
    for (const color of ["#ff0000", "#00ff00", "#ffff00", "#ff00ff"]) assert.isNotNull(styles("#ffffff", color).chroma)
    assert.match(styles("#ff0000").text, /^&H1A3F3F3F$/u)
  })

  it("says opacity the other way round", () => {
    assert.deepStrictEqual([1, 0.5, 0].map(assAlpha), ["00", "80", "FF"])
    assert.deepStrictEqual(["#123456", "#12345680", "#12345600"].map(opacityOf), [1, 128 / 255, 0])
  })
})
