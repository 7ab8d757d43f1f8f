import { ExportRequest, type Settings } from "@reelay/contracts/Export"
import type { Video } from "@reelay/contracts/Media"
import { Schema } from "effect"

export type Choice = Pick<Settings, "resolution" | "format" | "quality">
export const defaultChoice: Choice = { resolution: "720p", format: "mp4", quality: "medium" }

/** Seconds of the source. */
export interface Trim {
  readonly start: number
  readonly end: number
}

/** Nothing shorter than this is offered: shorter than a frame of most videos (seconds). */
export const SHORTEST = 0.1

const cents = (seconds: number): number => Math.round(seconds * 100) / 100

/** Nearer to the end than this is the end: sliders move in hundredths, videos end between two (seconds). */
const AT_END = 0.0101
const endsAt = (end: number, duration: number): boolean => end >= duration - AT_END

/** Into the video, in order, to the hundredth: what sliders and fields may hold. */
export const clampTrim = (trim: Trim, duration: number): Trim => {
  const end = endsAt(trim.end, duration) ? duration : Math.max(cents(trim.end), Math.min(SHORTEST, duration))
  const start = Math.max(0, Math.min(cents(trim.start), cents(end - SHORTEST)))
  return { start, end }
}

/** Null when the trim keeps everything: then no segment is asked for, and the last frame cannot be rounded away. */
export const segmentOf = (trim: Trim | null, duration: number | null): Trim | null => {
  if (trim === null) return null
  const whole = duration !== null && trim.start <= 0 && endsAt(trim.end, duration)
  return whole ? null : trim
}

/** The browser's idea of the length gives way to the server's: what went to the end still does. */
export const retimed = (trim: Trim | null, before: number | null, after: number): Trim | null =>
  trim === null
    ? null
    : clampTrim(before !== null && endsAt(trim.end, before) ? { start: trim.start, end: after } : trim, after)

const decode = Schema.decodeUnknownSync(ExportRequest)

/** What to ask of the server for one uploaded video. */
export const requestOf = (video: Video, choice: Choice, trim: Trim | null): ExportRequest => {
  const segment = segmentOf(trim, video.duration)
  return decode({
    videoId: video.id,
    ...(segment === null ? {} : { segments: [clampTrim(segment, video.duration)] }),
    settings: choice
  })
}
