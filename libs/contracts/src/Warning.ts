import { Schema } from "effect"

/** What was left to be desired of an export that is completed. `code` is what a client switches on. */
export const Warning = Schema.Struct({
  code: Schema.Literal("missing_glyphs"),
  /** For people. */
  detail: Schema.String,
  /** Those that no font of the node has, each once; of very many only some. */
  characters: Schema.String
})
export type Warning = typeof Warning.Type

/** Characters that are told: a film with a language whose fonts are missing lacks thousands. */
const TOLD = 32

/** Of several pieces together: each once, in order, and no more than it takes to know that there are too many to tell. */
export const missingTogether = (pieces: ReadonlyArray<string>): string =>
  [...new Set(pieces.flatMap((piece) => [...piece]))]
    .toSorted((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0))
    .slice(0, TOLD + 1)
    .join("")

/** `missing`: as `missingTogether` gives them. */
export const missingGlyphsWarning = (missing: string): ReadonlyArray<Warning> => {
  const all = [...missing]
  if (all.length === 0) return []
  const told = all.slice(0, TOLD)
  const detail =
    all.length === 1
      ? `1 character had no font and is drawn as a box: ${missing}`
      : all.length > TOLD
        ? `More than ${TOLD} characters had no font and are drawn as boxes, among them ${told.join(" ")}`
        : `${all.length} characters had no font and are drawn as boxes: ${told.join(" ")}`
  return [{ code: "missing_glyphs", detail, characters: told.join("") }]
}
