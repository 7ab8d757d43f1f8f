/**
 * Arguments written as one would type them: argv`-i ${path} -frames:v ${frames} ${more}`. Words are split where the
 * template has blanks and nowhere else: a value stays in one piece whatever is in it, and a list is spread.
 */
export const argv = (
  template: TemplateStringsArray,
  ...values: ReadonlyArray<string | number | ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const words: Array<string> = []
  /** The word being put together; null between words. */
  let word: string | null = null
  const finish = () => {
    if (word !== null) words.push(word)
    word = null
  }
  for (const [i, literal] of template.entries()) {
    for (const piece of literal.split(/(\s+)/)) {
      if (piece.trim() === "") {
        if (piece !== "") finish()
      } else word = (word ?? "") + piece
    }
    const value = values[i]
    if (typeof value === "object") {
      finish()
      words.push(...value)
    } else if (value !== undefined) word = (word ?? "") + String(value)
  }
  finish()
  return words
}
