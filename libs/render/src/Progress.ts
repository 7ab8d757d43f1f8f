import { PAUSED, placeText } from "@reelay/contracts/Export"
import type { ExportStatus, Progress, Stage } from "@reelay/contracts/Export"

export interface ProgressInput {
  readonly epoch: number
  readonly status: ExportStatus
  /** 1 is next; null once it runs. */
  readonly queuePosition: number | null
  /** Operators have paused the queue in which it waits. */
  readonly paused?: boolean
  readonly framesTotal: number
  /** Frames of done chunks plus what running ones report. */
  readonly framesDone: number
  /** Tasks after encoding (soundtrack, mux, zip): done and all. */
  readonly finishingDone: number
  readonly finishingTotal: number
  /** Whether a first chunk has reported frames or is done. */
  readonly encodingBegan: boolean
  /** Times real time, summed over running tasks; null while unknown. */
  readonly speed: number | null
  readonly elapsedSeconds: number
  /** Frames per second of the output, for the ETA. */
  readonly frameRate: number
}

/** Percent at which encoding begins and at which it is over. */
const ENCODING = 10
const FINISHING = 90
/** The most that is shown before the end is in the database. */
const ALMOST = 99.5
/** Seconds in which preparing covers two thirds of its tenth: it has nothing to count, and should be seen to move. */
const PREPARING_SECONDS = 5

/** Seconds of work, at the speed of now, that lie behind before anyone is told how many are ahead: the first are start-up. */
const ENOUGH_SECONDS = 3
/** Seconds within which an ETA follows two thirds of the way to what the latest speed says. */
const DAMPING_SECONDS = 6

const ORDER: ReadonlyArray<Stage> = ["queued", "preparing", "encoding", "finishing", "done"]
const later = (a: Stage, b: Stage): Stage => (ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b)

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))
const tenths = (value: number): number => Math.floor(value * 10) / 10
const nearestTenth = (value: number): number => Math.round(value * 10) / 10

const stageOf = (input: ProgressInput): Stage => {
  switch (input.status) {
    case "pending":
      return "queued"
    case "completed":
      return "done"
    case "processing":
      if (!input.encodingBegan) return "preparing"
      return input.framesDone >= input.framesTotal ? "finishing" : "encoding"
    case "failed":
    case "cancelled":
      return "queued"
  }
}

const percentOf = (stage: Stage, input: ProgressInput, framesDone: number): number => {
  switch (stage) {
    case "queued":
      return 0
    case "preparing":
      return ENCODING * 0.9 * (1 - Math.exp(-input.elapsedSeconds / PREPARING_SECONDS))
    case "encoding":
      return ENCODING + (FINISHING - ENCODING) * (framesDone / Math.max(1, input.framesTotal))
    case "finishing":
      return Math.min(ALMOST, FINISHING + (100 - FINISHING) * (input.finishingDone / Math.max(1, input.finishingTotal)))
    case "done":
      return 100
  }
}

/** Seconds, in tenths. Between what is left of the ETA that was said before and what the speed of now makes of it. */
const etaOf = (stage: Stage, input: ProgressInput, framesDone: number, before: Progress | null): number | null => {
  if (stage === "done") return 0
  if (input.status !== "processing" || stage !== "encoding") return null
  const perSecond = (input.speed ?? 0) * input.frameRate
  if (perSecond <= 0) return null
  const bySpeed = (input.framesTotal - framesDone) / perSecond
  const said = before?.etaSeconds ?? null
  if (before === null || said === null) return framesDone < ENOUGH_SECONDS * perSecond ? null : nearestTenth(bySpeed)
  const passed = Math.max(0, input.elapsedSeconds - before.elapsedSeconds)
  const byClock = Math.max(0, said - passed)
  return nearestTenth(byClock + (bySpeed - byClock) * (1 - Math.exp(-passed / DAMPING_SECONDS)))
}

const messageOf = (stage: Stage, input: ProgressInput, framesDone: number): string => {
  if (input.status === "failed") return "Failed"
  if (input.status === "cancelled") return "Cancelled"
  switch (stage) {
    case "queued":
      return input.paused === true ? PAUSED : placeText(input.queuePosition)
    case "preparing":
      return "Preparing"
    case "encoding":
      return `Encoding frame ${framesDone} of ${input.framesTotal}`
    case "finishing":
      return "Joining picture and sound"
    case "done":
      return "Done"
  }
}

/**
 * The progress that everyone sees. Within an epoch percent, frames and stage never fall behind `previous`, whatever is
 * redone underneath; 100 only when the export is completed. An ended export that did not complete stays where it was.
 */
export const progressOf = (input: ProgressInput, previous: Progress | null): Progress => {
  const before = previous !== null && previous.epoch === input.epoch ? previous : null
  const framesTotal = input.framesTotal
  const framesDone =
    input.status === "completed"
      ? framesTotal
      : clamp(Math.max(input.framesDone, before?.framesDone ?? 0), 0, framesTotal)
  const now = stageOf({ ...input, framesDone })
  // A retry waits again, in the epoch that failed: there alone the stage goes back.
  const stage = before === null || input.status === "pending" ? now : later(now, before.stage)
  const ended = input.status === "failed" || input.status === "cancelled"
  const percent = ended ? (before?.percent ?? 0) : tenths(percentOf(stage, input, framesDone))
  const ceiling = input.status === "completed" ? 100 : ALMOST
  return {
    epoch: input.epoch,
    status: input.status,
    percent: clamp(Math.max(percent, before?.percent ?? 0), 0, ceiling),
    stage,
    message: messageOf(stage, input, framesDone),
    queuePosition: input.status === "pending" ? input.queuePosition : null,
    ...(input.status === "pending" && input.paused === true ? { paused: true } : {}),
    framesDone,
    framesTotal,
    speed: input.status === "processing" ? input.speed : null,
    elapsedSeconds: Math.max(0, input.elapsedSeconds),
    etaSeconds: etaOf(stage, input, framesDone, before)
  }
}
