/** What part of a file a request asks for (RFC 9110 §14). Pure. */
export type RangeAnswer =
  | { readonly _tag: "Whole" }
  /** Inclusive start, exclusive end. */
  | { readonly _tag: "Part"; readonly start: number; readonly end: number }
  | { readonly _tag: "Unsatisfiable" }

const WHOLE: RangeAnswer = { _tag: "Whole" }

/** Several ranges at once, other units and what cannot be read are answered with the whole, as the standard allows. */
export const rangeOf = (header: string | undefined, size: number): RangeAnswer => {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? []
  if (from === undefined || to === undefined || (from === "" && to === "")) return WHOLE
  if (from === "") {
    const last = Number(to)
    return last === 0 || size === 0
      ? { _tag: "Unsatisfiable" }
      : { _tag: "Part", start: Math.max(0, size - last), end: size }
  }
  const start = Number(from)
  const end = to === "" ? size : Math.min(size, Number(to) + 1)
  if (to !== "" && Number(to) < start) return WHOLE
  return start >= size ? { _tag: "Unsatisfiable" } : { _tag: "Part", start, end }
}

/** Whether a list of entity tags (or `*`) names this one. Weak ones match for caching. */
export const namesTag = (header: string | undefined, tag: string): boolean =>
  header !== undefined
  && (header.trim() === "*" || header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag))
