import type { AssStyle } from "./AssScript.ts"

/**
 * What a line of an ASS file costs to draw: libass makes a bitmap of every letter and drawing, with its border, whether
 * it lies within the picture or not. In pictures' squares (height × height), so that it holds for any output's size.
 */
export const loadOf = (
  text: string,
  style: AssStyle,
  styles: ReadonlyMap<string, AssStyle>,
  height: number
): number => {
  let look = lookOf(style)
  let load = 0
  for (const [, block, plain] of text.matchAll(/\{([^}]*)\}|((?:\\[{}]|[^{])+)/gu)) {
    if (block !== undefined) look = changed(look, block, style, styles)
    else if (plain !== undefined) {
      const [across, down] = look.drawing === 0 ? [look.size, look.size] : extent(plain, 2 ** (look.drawing - 1))
      const area = (across * look.scaleX + 2 * look.border) * (down * look.scaleY + 2 * look.border)
      load += look.drawing === 0 ? area * plain.replace(/\s/gu, "").length : area
    }
  }
  return (load * TURNED ** Math.max(0, turns(text) - 1)) / (height * height)
}

/** One way of turning a text hardly makes it larger, several together put parts of it very near (measured: 3.6 GB). */
const TURNED = 8
const turns = (text: string): number =>
  [/\\fr[xy]/u, /\\frz?[-\d]/u, /\\fa[xy]/u].filter((way) => way.test(text)).length

interface Look {
  readonly size: number
  readonly scaleX: number
  readonly scaleY: number
  readonly border: number
  /** 0: letters. */
  readonly drawing: number
}

const lookOf = ({ outline, scaleX, scaleY, size }: AssStyle): Look => ({
  size,
  scaleX: scaleX / 100,
  scaleY: scaleY / 100,
  border: outline,
  drawing: 0
})

/** After a block's commands, as AssOverrides writes them. Where it changes over time, the largest it may be on the way. */
const changed = (before: Look, block: string, style: AssStyle, styles: ReadonlyMap<string, AssStyle>): Look => {
  let { border, drawing, scaleX, scaleY, size } = before
  const grows = block.includes("\\t(")
  for (const [, name, value = ""] of block.matchAll(/\\(fscx|fscy|fs(?!p)|[xy]?bord|p(?![ob])|r)([^\\,)]*)/gu)) {
    const usual = lookOf(name === "r" ? (styles.get(value) ?? style) : style)
    const next = (now: number, otherwise: number, part = 1) => {
      const given = value === "" ? otherwise : Number(value) * part
      return grows ? Math.max(now, given) : given
    }
    if (name === "r") ({ border, drawing, scaleX, scaleY, size } = usual)
    else if (name === "fs") size = next(size, usual.size)
    else if (name === "fscx") scaleX = next(scaleX, usual.scaleX, 0.01)
    else if (name === "fscy") scaleY = next(scaleY, usual.scaleY, 0.01)
    else if (name === "p") drawing = Number(value)
    else border = next(border, usual.border)
  }
  return { border, drawing, scaleX, scaleY, size }
}

const extent = (path: string, scale: number): readonly [number, number] => {
  const numbers = [...path.matchAll(/-?\d+(?:\.\d+)?/gu)].map(([one]) => Number(one) / scale)
  const side = (odd: 0 | 1) => {
    let [least, most] = [0, 0]
    for (let i = odd; i < numbers.length; i += 2) {
      least = Math.min(least, numbers[i] ?? 0)
      most = Math.max(most, numbers[i] ?? 0)
    }
    return most - least
  }
  return [side(0), side(1)]
}
