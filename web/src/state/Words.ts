import type { Export, ExportError, Settings } from "@reelay/contracts/Export"
import type { ExportView } from "./ExportView.ts"

/** How the page says things. English only for now; nothing else on the page makes sentences out of data. */

/** Keeps a number and its unit on one line. */
const NB = "\u00a0"

export const bytesText = (bytes: number): string => {
  if (bytes < 1000) return `${bytes}${NB}B`
  const units = ["kB", "MB", "GB", "TB"]
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${NB}${units[power - 1]}`
}

const two = (value: number): string => String(value).padStart(2, "0")

/** Media time as a player shows it: `0:07`, `12:34`, `1:02:03`. */
export const clockText = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** Media time to the hundredth, as it is typed into the trim fields: `0:07.25`. */
export const timecodeText = (seconds: number): string => {
  const hundredths = Math.max(0, Math.round(seconds * 100))
  const rest = hundredths % 100
  return clockText((hundredths - rest) / 100) + `.${two(rest)}`
}

/** `7`, `7.25`, `1:02`, `1:02:03.5` → seconds; null when it is no time. A comma counts as the decimal point. */
export const parseTimecode = (text: string): number | null => {
  const match = /^\s*(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d*)?|\.\d+)\s*$/.exec(text.replace(",", "."))
  if (match === null) return null
  const [, h = "0", m = "0", s = "0"] = match
  return Number(h) * 3600 + Number(m) * 60 + Number(s)
}

/** Rough on purpose: an estimate to the second that jumps is worse than one to the minute that holds. */
export const leftText = (seconds: number): string => {
  if (seconds < 5) return "a few seconds left"
  if (seconds < 50) return `about ${Math.ceil(seconds / 5) * 5}${NB}s left`
  if (seconds < 3570) return `about ${Math.max(1, Math.round(seconds / 60))}${NB}min left`
  const hours = seconds / 3600
  return `about ${hours < 10 ? hours.toFixed(1).replace(".0", "") : Math.round(hours)}${NB}h left`
}

/** How long ago, both in ms since 1970. A clock that is behind the server's says "just now". */
export const agoText = (then: number, now: number): string => {
  const minutes = Math.floor((now - then) / 60_000)
  if (minutes < 1) return `just${NB}now`
  if (minutes < 60) return `${minutes}${NB}min${NB}ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}${NB}h${NB}ago`
  const days = Math.floor(hours / 24)
  if (days === 1) return "yesterday"
  return days < 7 ? `${days} days ago` : new Date(then).toLocaleDateString("en", { dateStyle: "medium" })
}

/** An instant (ms since 1970) as the reader's own country writes it. */
export const momentText = (at: number): string =>
  new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })

const resolutions: Record<Settings["resolution"], string> = {
  "720p": "720p",
  "1080p": "1080p",
  "4k": "4K",
  source: "Source size"
}
export const formatNames: Record<Settings["format"], string> = { mp4: "MP4", mov: "MOV", webm: "WebM" }

/** Facts in a row: where the row is broken, a dot ends a line and never begins one. */
export const listed = (facts: ReadonlyArray<string | null>): string =>
  facts.filter((fact) => fact !== null).join(`${NB}· `)

export const settingsText = (settings: Settings): string =>
  listed([resolutions[settings.resolution], formatNames[settings.format], `${settings.quality}${NB}quality`])

/** Which parts of the source, when it is not all of it. */
export const segmentsText = (row: Export): string | null => {
  if (row.segments === null || row.segments.length === 0) return null
  const [first] = row.segments
  return row.segments.length === 1 && first !== undefined
    ? `${timecodeText(first.start)} – ${timecodeText(first.end)}`
    : `${row.segments.length} parts`
}

export const stageText = (view: ExportView): string => {
  switch (view.stage) {
    case "queued":
      return view.waiting ?? "Waiting for an encoder"
    case "preparing":
      return "Preparing"
    case "encoding":
      return "Encoding"
    case "finishing":
      return "Finishing"
    case "done":
      return "Done"
  }
}

export const statusText = (view: ExportView): string => {
  if (view.action === "cancel") return "Cancelling"
  if (view.action === "retry") return "Starting again"
  switch (view.status) {
    case "pending":
      return "Waiting"
    case "processing":
      return stageText(view)
    case "completed":
      return "Completed"
    case "failed":
      return "Failed"
    case "cancelled":
      return "Cancelled"
  }
}

const errors: Record<ExportError["code"], string> = {
  input_error: "The source video could not be read.",
  render_error: "The video could not be rendered.",
  storage_error: "The files could not be stored.",
  encoder_unavailable: "No encoder could do this.",
  timed_out: "It took too long and was stopped.",
  out_of_resources: "The encoders ran out of space or memory."
}

/** What went wrong, and what the server adds to it. */
export const errorText = (error: ExportError): { readonly what: string; readonly detail: string | null } => ({
  what: errors[error.code],
  detail: error.detail === "" || error.detail === errors[error.code] ? null : error.detail
})

const counted = (count: number, verb: string): string => `${count} ${count === 1 ? "export" : "exports"} ${verb}`

/** "2 exports finished and 1 failed while you were away". */
export const awayText = (ended: ReadonlyArray<Export>): string => {
  const failed = ended.filter((row) => row.status === "failed").length
  const finished = ended.length - failed
  const said =
    finished === 0
      ? counted(failed, "failed")
      : failed === 0
        ? counted(finished, "finished")
        : `${counted(finished, "finished")} and ${failed} failed`
  return `${said} while you were away`
}
