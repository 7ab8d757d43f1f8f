import { assert, it } from "@effect/vitest"
import { unsaid } from "../src/FieldError.ts"

const end = { field: "segments.0.end", message: "is past the end" }

it("a field error is told unless the problem's text has said field and message already", () => {
  const told = ["segments.0.end: is past the end"]
  assert.deepStrictEqual(unsaid("Not valid", [end]), told)
  assert.deepStrictEqual(unsaid("segments.0.end is not valid", [end]), told)
  assert.deepStrictEqual(unsaid("One segment is past the end.", [end]), told)
  assert.deepStrictEqual(unsaid("segments.0.end: is past the end", [end]), [])
})

it("of several only those that are news, and the request as a whole has no name", () => {
  const whole = { field: "", message: "is no object" }
  assert.deepStrictEqual(unsaid("segments.0.end is past the end.", [end, whole]), ["is no object"])
  assert.deepStrictEqual(unsaid("The request is no object.", [whole]), [])
})
