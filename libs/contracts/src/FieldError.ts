import { Schema } from "effect"

/** One member of a request that is not as it should be. `field` is its path; empty: the request as a whole. */
export const FieldError = Schema.Struct({ field: Schema.String, message: Schema.String })
export type FieldError = typeof FieldError.Type

/**
 * What a problem's field errors add to its text, for a person: those of which the text has not said both the field and
 * the message already.
 */
export const unsaid = (text: string, errors: ReadonlyArray<FieldError>): ReadonlyArray<string> =>
  errors
    .filter(({ field, message }) => !text.includes(field) || !text.includes(message))
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`))
