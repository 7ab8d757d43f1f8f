import { TaskKey } from "@reelay/contracts/Ids"
import { createHash } from "node:crypto"

/** Plain data that has one canonical form. Only whole numbers: their text never depends on who wrote it. */
export type Canonical = null | boolean | number | string | ReadonlyArray<Canonical> | CanonicalObject
export interface CanonicalObject {
  readonly [name: string]: Canonical
}

/** JSON with sorted member names and no spaces: equal values give equal text. */
export const canonicalJson = (value: Canonical): string => {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value)
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`)
    return JSON.stringify(value === 0 ? 0 : value)
  }
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(",")}}`
}

const isList = (value: Canonical): value is ReadonlyArray<Canonical> => Array.isArray(value)

/** Content address of a task: SHA-256 of the canonical form of what it makes. */
export const taskKey = (semantics: Canonical): TaskKey =>
  TaskKey.make(createHash("sha256").update(canonicalJson(semantics)).digest("hex"))
