import type { ExportRequest } from "@reelay/contracts/Export"
import { hash } from "node:crypto"

/** JSON with the members of every object in alphabetical order: equal values are equal texts. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`
}

/** Identity of an (encoded) request: of what it means with its defaults filled in, however its JSON was written. */
export const requestDigest = (request: typeof ExportRequest.Encoded): string => hash("sha256", canonical(request))
