import type { VideoCodec } from "@reelay/contracts/Export"
import type { UserId } from "@reelay/contracts/Ids"
import { findCandidates, hasRoomFor, seat, shareIn, unseat } from "./Capacity.ts"
import type { Row } from "./Events.ts"
import { CLASSES, FairQueue } from "./FairQueue.ts"
import type { Class, Share } from "./FairQueue.ts"
import type { Candidate, Job, Lane, State } from "./State.ts"
import { emit, enter } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

const shareOf = (state: State, user: UserId): Share => shareIn(state.users, user, ++state.tokens)

const laneFor = (turn: Turn, codec: VideoCodec, labels: ReadonlyArray<string>): Lane => {
  const { state } = turn
  const sorted = [...new Set(labels)].toSorted()
  const key = [codec, ...sorted].join("|")
  const known = state.lanes.get(key)
  if (known !== undefined) return known
  const lane: Lane = {
    key,
    codec,
    labels: sorted,
    queue: new FairQueue((user) => shareOf(state, user)),
    candidates: [],
    unfitSince: null
  }
  state.lanes.set(key, lane)
  findCandidates(state, lane, turn.now)
  return lane
}

/** A job for a row that is new here. It is in no queue yet. */
export const newJob = (turn: Turn, row: Row, status: Job["status"]): Job => {
  const floor = turn.state.floors.get(row.id)
  const job: Job = {
    id: row.id,
    user: row.user,
    urgency: row.urgency,
    order: row.changedMillis,
    frames: row.frames,
    lane: laneFor(turn, row.codec, row.labels),
    epoch: row.epoch,
    status,
    phase: "waiting",
    token: ++turn.state.tokens,
    changed: turn.state.sequence,
    doubtful: false,
    counted: false,
    candidate: null,
    expecting: null,
    broken: new Set(),
    noSmartCut: row.noSmartCut,
    tries: 0,
    prepared: null,
    run: null,
    startedAt: turn.now,
    progress: floor?.epoch === row.epoch && floor.status === status ? floor : null,
    progressSaidAt: Number.NEGATIVE_INFINITY,
    obstacle: null,
    obstacleSince: turn.now
  }
  turn.state.jobs.set(job.id, job)
  return job
}

/** Into its lane. */
export const queue = (turn: Turn, job: Job): void => {
  enter(turn, job, "waiting")
  job.lane.queue.add(job)
  turn.state.queueChanged = true
  turn.state.admissible = true
}

/** Out of its lane, if it is there. */
export const dequeue = (turn: Turn, job: Job): void => {
  if (job.phase !== "waiting") return
  job.lane.queue.remove(job)
  turn.state.queueChanged = true
}

const moved = (state: State, user: UserId): void => {
  for (const lane of state.lanes.values()) lane.queue.moved(user)
}

/** Against the caps from now on. */
export const count = (turn: Turn, job: Job): void => {
  if (job.counted) return
  const { state } = turn
  job.counted = true
  state.active++
  const share = shareOf(state, job.user)
  share.load++
  share.turn = ++state.tokens
  moved(state, job.user)
}

/** Out of every queue, seat and count; the job itself is forgotten by the caller. */
export const leave = (turn: Turn, job: Job): void => {
  const { state } = turn
  dequeue(turn, job)
  expectNothing(job)
  if (job.candidate !== null) unseat(job.candidate.video, job)
  const share = state.users.get(job.user)
  if (share === undefined) return
  if (job.counted) {
    job.counted = false
    state.active--
    state.admissible = true
    share.load--
    moved(state, job.user)
  }
  if (share.load === 0 && !isWaiting(state, job.user)) state.users.delete(job.user)
}

const isWaiting = (state: State, user: UserId): boolean => {
  for (const lane of state.lanes.values()) if (lane.queue.has(user)) return true
  return false
}

export const expectNothing = (job: Job): void => {
  if (job.expecting !== null) job.expecting.expected--
  job.expecting = null
}

/** Has it planned for this candidate, at the next epoch. */
export const plan = (turn: Turn, job: Job, candidate: Candidate): void => {
  dequeue(turn, job)
  expectNothing(job)
  if (job.candidate !== null && job.candidate.video !== candidate.video) unseat(job.candidate.video, job)
  job.candidate = candidate
  seat(candidate.video, job)
  job.expecting = candidate.video.pool
  job.expecting.expected++
  job.obstacle = null
  job.obstacleSince = turn.now
  count(turn, job)
  emit(turn, {
    _tag: "Plan",
    id: job.id,
    user: job.user,
    token: enter(turn, job, "planning"),
    family: candidate.family,
    build: candidate.build,
    epoch: job.epoch + 1,
    noSmartCut: job.noSmartCut
  })
}

/** The best place for a run that must go elsewhere: it has its turn already. */
export const elsewhere = (job: Job): Candidate | undefined =>
  job.lane.candidates.find((candidate) => !job.broken.has(candidate.family))

const nextOf = (state: State, urgency: Class): { readonly job: Job; readonly candidate: Candidate } | null => {
  let best: { job: Job; candidate: Candidate; share: Share } | null = null
  for (const lane of state.lanes.values()) {
    const job = lane.queue.head(urgency, state.policy.maxActivePerUser)
    if (job === undefined) continue
    const candidate = lane.candidates.find(({ video }) => hasRoomFor(video, job))
    if (candidate === undefined) continue
    const share = shareOf(state, job.user)
    if (
      best === null
      || share.load < best.share.load
      || (share.load === best.share.load && share.turn < best.share.turn)
    ) {
      best = { job, candidate, share }
    }
  }
  return best
}

/** Begins what may begin, in the order of classes and of fairness. */
export const admit = (turn: Turn): void => {
  const { state } = turn
  if (state.paused !== false || !state.admissible) return
  state.admissible = false
  for (const urgency of CLASSES) {
    while (state.active < state.policy.maxActive) {
      const next = nextOf(state, urgency)
      if (next === null) break
      plan(turn, next.job, next.candidate)
    }
  }
}

/**
 * What waits, in the order in which it would begin if nothing that runs ended: class by class; a user's n-th export when
 * all others have as many.
 */
export const queueOrder = (state: State, limit: number): ReadonlyArray<Job> => {
  const order: Array<Job> = []
  const served = new Map<UserId, Share>()
  let turns = state.tokens
  for (const urgency of CLASSES) {
    const starts = waitingLines(state, urgency, served)
    // A round for each load, lowest first: who has so many takes one. Users join at their own load, ahead of those who
    // were served in the round before.
    let round: Array<Line> = []
    let next = 0
    for (let load = 0; round.length > 0 || next < starts.length; load++) {
      if (round.length === 0) load = starts[next]?.share.load ?? load
      const joined = next
      while ((starts[next]?.share.load ?? Number.POSITIVE_INFINITY) <= load) next++
      round = starts.slice(joined, next).concat(round)
      for (const line of round) {
        const job = line.jobs[line.taken++]
        if (job === undefined) continue
        order.push(job)
        if (order.length >= limit) return order
        line.share.load++
        line.share.turn = ++turns
      }
      round = round.filter((line) => line.taken < line.jobs.length)
    }
  }
  return order
}

/** One user's waiting exports of a class, and the share that they have by then. */
interface Line {
  readonly jobs: ReadonlyArray<Job>
  readonly share: Share
  taken: number
}

const waitingLines = (state: State, urgency: Class, served: Map<UserId, Share>): ReadonlyArray<Line> => {
  const byUser = new Map<UserId, Array<Job>>()
  for (const lane of state.lanes.values()) {
    for (const job of lane.queue.values()) {
      if (job.urgency !== urgency) continue
      const jobs = byUser.get(job.user)
      if (jobs === undefined) byUser.set(job.user, [job])
      else jobs.push(job)
    }
  }
  const lines = [...byUser].map(([user, jobs]): Line => {
    const share = served.get(user) ?? { ...shareOf(state, user) }
    served.set(user, share)
    return { jobs: jobs.toSorted((a, b) => a.order - b.order), share, taken: 0 }
  })
  return lines.toSorted((a, b) => a.share.load - b.share.load || a.share.turn - b.share.turn)
}
