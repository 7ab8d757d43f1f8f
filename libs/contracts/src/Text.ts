import { Schema } from "effect"

/** Text that UTF-8, JSON and Postgres can all carry: no NUL, no half of a surrogate pair. */
export const Text = Schema.String.check(
  Schema.makeFilter((text) => (text.isWellFormed() && !text.includes("\0")) || "must be well-formed text without NUL")
)
