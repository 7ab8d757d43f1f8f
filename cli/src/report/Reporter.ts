import { Context, Effect } from "effect"
import type { Event } from "./Event.ts"
import { activityOf, lineOf } from "./Words.ts"
import type { Activity } from "./Words.ts"

/** Says events to whoever reads. */
export class Reporter extends Context.Service<
  Reporter,
  {
    say(event: Event): Effect.Effect<void>
  }
>()("@reelay/cli/report/Reporter") {}

/** Turns one event into what to write; it may remember what was written before. */
export type Renderer = (event: Event, nowMillis: number) => string

export const jsonRenderer: Renderer = (event) => `${JSON.stringify(event)}\n`

const BAR = 24
const NAME = 12

const bar = (percent: number, width: number): string => {
  const full = Math.round((percent / 100) * width)
  return "█".repeat(full) + "░".repeat(width - full)
}

/** `Encoding     ██████░░░░░░  52 %  2.1×  0:14 left`, within so many columns. */
export const barLine = ({ facts, name, percent }: Activity, columns: number): string => {
  const figures = `${String(Math.floor(percent)).padStart(3)} %`
  const words = [figures, ...facts].join("  ")
  const room = Math.min(BAR, columns - NAME - words.length - 4)
  const line = `${name.padEnd(NAME)} ${room >= 4 ? `${bar(percent, room)} ` : ""}${words}`
  return line.slice(0, Math.max(1, columns - 1))
}

const CLEAR_LINE = "\r\u001b[2K"

/** For a terminal: one line that lives, the others above it. */
export const terminalRenderer = (columns: () => number): Renderer => {
  let live = ""
  return (event) => {
    const activity = activityOf(event)
    if (activity !== null) {
      const line = barLine(activity, columns())
      if (line === live) return ""
      live = line
      return CLEAR_LINE + line
    }
    const line = lineOf(event)
    const cleared = live === "" ? "" : CLEAR_LINE
    live = ""
    return line === null ? cleared : `${cleared}${line}\n`
  }
}

const PLAIN_EVERY_MILLIS = 5000

/** For logs and pipes: a line when an activity begins, and one each few seconds. */
export const plainRenderer = (): Renderer => {
  let name = ""
  let saidAt = Number.NEGATIVE_INFINITY
  return (event, nowMillis) => {
    const activity = activityOf(event)
    if (activity === null) {
      const line = lineOf(event)
      return line === null ? "" : `${line}\n`
    }
    if (activity.name === name && nowMillis - saidAt < PLAIN_EVERY_MILLIS) return ""
    name = activity.name
    saidAt = nowMillis
    return `${activity.name}: ${[`${Math.floor(activity.percent)} %`, ...activity.facts].join(", ")}\n`
  }
}

export const reporterOf = (render: Renderer, write: (text: string) => void): Reporter["Service"] => ({
  say: (event) =>
    Effect.sync(() => {
      const text = render(event, performance.now())
      if (text !== "") write(text)
    })
})

/** As stdout and the flags want it. */
export const reporterFor = (json: boolean): Reporter["Service"] => {
  const { stdout } = process
  const renderer = json ? jsonRenderer : stdout.isTTY ? terminalRenderer(() => stdout.columns) : plainRenderer()
  return reporterOf(renderer, (text) => stdout.write(text))
}
