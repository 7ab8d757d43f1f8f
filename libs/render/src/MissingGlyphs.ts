import { missingTogether } from "@reelay/contracts/Warning"

/**
 * Characters that no font on the node has. libass asks fontconfig for each when it first needs it, draws a box when there
 * is none and says so, as a warning: ffmpeg has to be heard out (`HEARD` in Damage.ts) to pass that on. It is the only one who knows
 * what was really drawn; `fc-list` would only tell what might be.
 */
const MISSING = /fontselect: failed to find any fallback with glyph 0x([\da-fA-F]{1,6}) for font:/gu

/** Of what ffmpeg said, each once and not all of very many (Warning.ts). What nobody sees anyway (joiners, marks of direction) does not count. */
export const missingGlyphs = (said: string): string => {
  const characters = [...said.matchAll(MISSING)].flatMap(([, hex = ""]) => {
    const code = Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10_ff_ff ? [String.fromCodePoint(code)] : []
  })
  return missingTogether(characters.filter((character) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u.test(character)))
}
