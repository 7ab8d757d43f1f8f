import { Schema } from "effect"

/** What a person gets to read, in one line, when a command could not do its work. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", {
  message: Schema.String,
  /** The problem's code where the api said it, for `--json`. */
  code: Schema.optionalKey(Schema.String)
}) {}

/** Some of what was asked for was refused, and each refusal has been said: nothing but the exit code is left. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}
