import type { Progress } from "@reelay/contracts/Export"
import type { Event } from "./Event.ts"

/** Figures as people read them. Pure. */
export const bytesInWords = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** `0:07`, `12:30`, `1:02:03`. */
export const timeInWords = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const two = (n: number) => String(n).padStart(2, "0")
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

const percentOf = (done: number, total: number): number => (total > 0 ? Math.min(100, (100 * done) / total) : 0)

/** One activity: its name, how far it is (percent) and what else there is to say of it. */
export interface Activity {
  readonly name: string
  readonly percent: number
  readonly facts: ReadonlyArray<string>
}

const stageNames = {
  queued: "Queued",
  preparing: "Preparing",
  encoding: "Encoding",
  finishing: "Finishing",
  done: "Done"
} as const satisfies Record<Progress["stage"], string>

const progressFacts = (progress: Progress): ReadonlyArray<string> => [
  ...(progress.stage === "queued" ? [progress.message] : []),
  ...(progress.speed === null || progress.speed <= 0 ? [] : [`${progress.speed.toFixed(1)}×`]),
  ...(progress.etaSeconds === null ? [] : [`${timeInWords(progress.etaSeconds)} left`])
]

/** The events that are an activity under way; null for the others. */
export const activityOf = (event: Event): Activity | null => {
  switch (event.type) {
    case "upload":
    case "download":
      return {
        name: event.type === "upload" ? "Uploading" : "Downloading",
        percent: percentOf(event.bytes, event.total),
        facts: [`${bytesInWords(event.bytes)} of ${bytesInWords(event.total)}`]
      }
    case "progress":
      return {
        name: stageNames[event.progress.stage],
        percent: event.progress.percent,
        facts: progressFacts(event.progress)
      }
    default:
      return null
  }
}

/** What the other events come to, in a line; null when there is nothing to say. */
export const lineOf = (event: Event): string | null => {
  switch (event.type) {
    case "stack":
      return event.started ? `Reelay runs at ${event.url} for this export` : `Using the Reelay at ${event.url}`
    case "accepted":
      return `Export ${event.exportId}: ${event.frames} frames, ${timeInWords(event.duration)}`
    case "notice":
    case "detached":
      return event.message
    case "result":
      return `${event.path}\n${event.width}×${event.height}, ${timeInWords(event.duration)}, ${bytesInWords(event.bytes)}, done in ${timeInWords(event.seconds)}`
    default:
      return null
  }
}
