/** A file's name may hold line breaks and what terminals obey. */
const plain = (cell: string): string => cell.replace(/\p{Cc}/gu, " ")

/** Columns that line up, for terminals and for `cut`. Pure. The last column is as long as it likes. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [head, ...rows.map((row) => row.map(plain))]
  const widths = head.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)))
  return lines
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
