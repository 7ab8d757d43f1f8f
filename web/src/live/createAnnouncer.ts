import type { ExportId } from "@reelay/contracts/Ids"
import { createEffect, createSignal } from "solid-js"
import type { ExportView } from "../state/ExportView.ts"
import { stageText, statusText } from "../state/Words.ts"
import type { Exports } from "./createExports.ts"
import type { Sources } from "./createSources.ts"

/** What a screen reader hears of an export: each status, and each quarter of the way. Not every percent. */
const milestone = (view: ExportView): string =>
  view.status === "processing" && view.percent >= 25
    ? `${stageText(view)}, ${Math.floor(view.percent / 25) * 25} percent`
    : statusText(view)

/** Text for the one live region of the page. */
export const createAnnouncer = (exports: Exports, sources: Sources) => {
  const [said, say] = createSignal("")
  const told = new Map<ExportId, string>()
  createEffect(() => {
    const news: Array<string> = []
    for (const id of exports.ids()) {
      const view = exports.view(id)
      if (view === null) continue
      const now = `${view.epoch} ${view.status} ${milestone(view)}`
      const before = told.get(id)
      told.set(id, now)
      // What was there when the page opened stands in the list; only changes are news.
      if (before !== undefined && before !== now) news.push(`${sources.title(view.row)}: ${milestone(view)}`)
    }
    if (news.length > 0) say(news.join(". "))
  })
  return { said, say }
}
