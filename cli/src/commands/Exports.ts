import { Export } from "@reelay/contracts/Export"
import { DateTime } from "effect"
import { timeInWords } from "../report/Words.ts"
import { listing } from "./Listing.ts"

const stateOf = (found: Export): string => {
  if (found.paused === true) return "paused"
  if (found.status === "pending" && found.queuePosition !== null) return `number ${found.queuePosition}`
  if (found.status === "processing" && found.progress !== null) return `${Math.floor(found.progress.percent)} %`
  return found.status
}

export const exports_ = listing("exports", {
  description: "List the latest exports of the Reelay that runs on this data folder",
  one: "export",
  schema: Export,
  head: ["CREATED (UTC)", "STATE", "LENGTH", "RESULT", "ID"],
  row: (found) => [
    DateTime.formatIso(found.createdAt).slice(0, 19),
    stateOf(found),
    timeInWords(found.duration),
    found.outputs[0]?.name ?? found.error?.detail ?? "",
    found.id
  ],
  read: (api, asked) => api.exports.list({ query: { sort: "-createdAt", ...asked } })
})
