import type { ExportStatus, Progress } from "@reelay/contracts/Export"
import { bringsPicture } from "@reelay/contracts/Plan"
import { toNumber } from "@reelay/contracts/Quantity"
import { QUEUE_ORDER_LIMIT } from "@reelay/contracts/messages/Messages"
import type { TaskProgress } from "@reelay/contracts/messages/Messages"
import { progressOf } from "@reelay/render/Progress"
import type { ProgressInput } from "@reelay/render/Progress"
import { queueOrder } from "./Admission.ts"
import type { Job, Run } from "./State.ts"
import { emit } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

/** Milliseconds: a progress that does not change is said again; the order of the queue is said at least and at most so often. */
const REPEAT = 30_000
/** Between two words on one export, and before the first: its row says already that it began. */
const SOONEST = 500
const ORDER_LATEST = 5000
const ORDER_SOONEST = 500

/** Milliseconds over which speed is reckoned, in steps of; less than the shortest says too little. */
const PACE_WINDOW = 10_000
const PACE_STEP = 500
const PACE_SHORTEST = 1500

const framesOf = (run: Run): number => Math.min(run.framesDone + run.framesRunning, run.framesTotal)

const notePace = ({ now }: Turn, run: Run): void => {
  const last = run.pace.at(-1)
  if (last !== undefined && now - last.at < PACE_STEP) return
  run.pace.push({ at: now, frames: framesOf(run) })
  while (run.pace.length > 2 && now - (run.pace[0]?.at ?? now) > PACE_WINDOW) run.pace.shift()
}

/**
 * Times real time, over all encoders: the slope of the whole export's frames. What encoders say of single tasks begins
 * anew with every chunk, and a sum of it would jump with each.
 */
const speedOf = (run: Run): number | null => {
  const [first, last] = [run.pace[0], run.pace.at(-1)]
  if (first === undefined || last === undefined || last.at - first.at < PACE_SHORTEST) return null
  const perSecond = ((last.frames - first.frames) * 1000) / (last.at - first.at)
  return Math.max(0, perSecond / toNumber(run.plan.spec.target.frameRate))
}

/** An encoder's word on a running task. */
export const progressed = (turn: Turn, progress: TaskProgress): void => {
  const job = turn.state.jobs.get(progress.exportId)
  const run = job?.run
  const entry = run?.tasks.get(progress.task)
  if (job === undefined || run === undefined || run === null || entry === undefined) return
  if (progress.epoch !== run.epoch || entry.state !== "dispatched") return
  if (bringsPicture(entry.task.work)) {
    const frames = Math.min(Math.max(progress.frames, entry.frames), entry.task.frames)
    run.framesRunning += frames - entry.frames
    entry.frames = frames
  }
  notePace(turn, run)
  turn.state.stirred.add(job)
}

const inputOf = (turn: Turn, job: Job, status: ExportStatus): ProgressInput => {
  const { run } = job
  const framesDone = run === null ? 0 : framesOf(run)
  return {
    epoch: job.epoch,
    status,
    queuePosition: null,
    framesTotal: run?.framesTotal ?? job.frames,
    framesDone: status === "completed" ? (run?.framesTotal ?? job.frames) : framesDone,
    finishingDone: run?.finishingDone ?? 0,
    finishingTotal: run?.finishingTotal ?? 0,
    encodingBegan: framesDone > 0,
    speed: run === null ? null : speedOf(run),
    elapsedSeconds: status === "pending" ? 0 : Math.max(0, (turn.now - job.startedAt) / 1000),
    frameRate: run === null ? 30 : toNumber(run.plan.spec.target.frameRate)
  }
}

const same = (a: Progress, b: Progress): boolean =>
  a.epoch === b.epoch
  && a.status === b.status
  && a.percent === b.percent
  && a.stage === b.stage
  && a.message === b.message
  && a.framesDone === b.framesDone
  && a.speed === b.speed

/** Publishes a job's progress when it changed, or was last said long ago. */
export const report = (turn: Turn, job: Job, status: ExportStatus = job.status): void => {
  const previous = job.progress?.epoch === job.epoch && job.progress.status === status ? job.progress : null
  const reckoned = progressOf(inputOf(turn, job, status), job.progress?.epoch === job.epoch ? job.progress : null)
  const progress = job.obstacle === null ? reckoned : { ...reckoned, message: job.obstacle }
  if (previous !== null && same(previous, progress) && turn.now - job.progressSaidAt < REPEAT) return
  job.progress = progress
  job.progressSaidAt = turn.now
  emit(turn, { _tag: "Report", id: job.id, user: job.user, progress })
}

/** The last word on a job, where there was a first: of one that was over before a tick nobody has heard a percentage. */
export const reportEnd = (turn: Turn, job: Job, status: ExportStatus): void => {
  if (job.progress !== null) report(turn, job, status)
}

/** Everything whose progress stirred since it was last said, as often as anyone can read it. */
export const reportStirred = (turn: Turn): void => {
  for (const job of turn.state.stirred) {
    if (job.status === "processing") {
      if (turn.now - Math.max(job.progressSaidAt, job.startedAt) < SOONEST) continue
      report(turn, job)
    }
    turn.state.stirred.delete(job)
  }
}

/** Repeats what has not been said for a while, so that it outlives the loss of NATS' memory. */
export const repeatReports = (turn: Turn): void => {
  for (const job of turn.state.jobs.values()) {
    if (job.status !== "processing" && job.obstacle === null) continue
    if (turn.now - job.progressSaidAt >= REPEAT) report(turn, job)
  }
}

export const reportOrder = (turn: Turn): void => {
  const { state } = turn
  // Not yet known: a new leader would take back, for a moment, what the one before it said.
  if (state.paused === null) return
  const since = turn.now - state.queueSaidAt
  if (since < ORDER_SOONEST || (!state.queueChanged && since < ORDER_LATEST)) return
  state.queueChanged = false
  state.queueSaidAt = turn.now
  const waiting = queueOrder(state, QUEUE_ORDER_LIMIT).map((job) => job.id)
  emit(turn, { _tag: "SayOrder", waiting, paused: state.paused })
}
