import type { ExportId, NodeId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import { elsewhere } from "./Admission.ts"
import { changesCapacity, rebuild } from "./Capacity.ts"
import { fail, planAnew } from "./Endings.ts"
import { exportError } from "./Failures.ts"
import { repeatReports, report, reportOrder, reportStirred } from "./Reports.ts"
import { retried } from "./Runs.ts"
import type { Channel, Job } from "./State.ts"
import { makeReady } from "./Tasks.ts"
import { emit } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

/** Milliseconds between two looks at what is slow to change. */
const LOOK = 1000
/** Milliseconds for which the stop of tasks is repeated at least: longer than an encoder needs to say what it runs. */
const SETTLE = 10_000
/** Milliseconds after which an encoder that does not stop is left to itself. */
const SETTLE_LATEST = 600_000
/** Milliseconds that encoders get to appear before anyone is told that there is none. */
const GRACE = 3000

export const nodeSeen = (turn: Turn, advertisement: Advertisement): void => {
  const { state, now } = turn
  for (const pool of advertisement.pools) {
    if (state.consumers.has(pool)) continue
    state.consumers.add(pool)
    emit(turn, { _tag: "EnsureConsumer", pool })
  }
  const known = state.nodes.get(advertisement.id)
  if (known === undefined) {
    state.nodes.set(advertisement.id, { id: advertisement.id, advertisement, seenAt: now })
    return rebuild(state, now)
  }
  const changed = changesCapacity(known.advertisement, advertisement)
  known.advertisement = advertisement
  known.seenAt = now
  if (changed) rebuild(state, now)
}

export const nodeLeft = (turn: Turn, id: NodeId): void => {
  if (turn.state.nodes.delete(id)) rebuild(turn.state, turn.now)
}

/** Everything that one connection to NATS made sure of may be gone with the next. */
export const reconnected = (turn: Turn): void => {
  const { state } = turn
  for (const pool of state.consumers) emit(turn, { _tag: "EnsureConsumer", pool })
  state.queueSaidAt = Number.NEGATIVE_INFINITY
  for (const job of state.jobs.values()) job.progressSaidAt = Number.NEGATIVE_INFINITY
}

export const ticked = (turn: Turn): void => {
  const { state, now } = turn
  for (let timer = state.timers.peek(); timer !== undefined && timer.due <= now; timer = state.timers.peek()) {
    state.timers.remove(timer)
    if (timer.fire._tag === "job") retried(turn, timer.fire.job, timer.fire.token)
    else {
      const { entry } = timer.fire
      const holds = entry.job.run?.tasks.get(entry.task.key) === entry && entry.state === "resting"
      if (holds) makeReady(turn, entry, true)
    }
  }
  if (now - state.lookedAt >= LOOK) {
    state.lookedAt = now
    expireNodes(turn)
    lookAtLanes(turn)
    lookAtChannels(turn)
    stopUnwanted(turn)
    repeatReports(turn)
  }
  reportStirred(turn)
  reportOrder(turn)
}

const expireNodes = (turn: Turn): void => {
  for (const node of Array.from(turn.state.nodes.values())) {
    if (turn.now - node.seenAt > turn.state.policy.nodeTtl) nodeLeft(turn, node.id)
  }
}

/** What encoders say they run that nobody wants is stopped, and told so again until it has. */
const stopUnwanted = (turn: Turn): void => {
  const { state, now } = turn
  const running = new Map<ExportId, number>()
  for (const node of state.nodes.values()) {
    for (const { epoch, exportId } of node.advertisement.tasks) {
      running.set(exportId, Math.min(epoch, running.get(exportId) ?? epoch))
    }
  }
  for (const [id, epoch] of running) {
    if (state.settling.has(id)) continue
    const job = state.jobs.get(id)
    if (job === undefined) {
      state.strays.add(id)
      emit(turn, { _tag: "Inspect", id })
    } else if (job.phase !== "loading" && epoch < job.epoch) state.settling.set(id, { epoch, since: now })
  }
  for (const [id, { epoch, since }] of state.settling) {
    const runs = (running.get(id) ?? Number.POSITIVE_INFINITY) <= epoch
    if ((runs || now - since < SETTLE) && now - since < SETTLE_LATEST) emit(turn, { _tag: "Stop", id, epoch })
    else state.settling.delete(id)
  }
}

const demandOf = (job: Job): string =>
  job.lane.codec + (job.lane.labels.length === 0 ? "" : ` on a node labelled ${job.lane.labels.join(", ")}`)

const obstruct = (turn: Turn, job: Job, obstacle: string | null): void => {
  if (job.obstacle === obstacle) return
  job.obstacle = obstacle
  report(turn, job)
}

/** Exports that no encoder can run wait, and say why; after a long time they fail. */
const lookAtLanes = (turn: Turn): void => {
  const { state, now } = turn
  for (const lane of state.lanes.values()) {
    if (lane.unfitSince !== null && now - lane.unfitSince < GRACE) continue
    for (const job of lane.queue.values()) {
      if (lane.unfitSince === null) obstruct(turn, job, null)
      else waitOrFail(turn, job, Math.max(lane.unfitSince, job.obstacleSince))
    }
  }
  for (const job of state.jobs.values()) {
    if (job.phase !== "planning") continue
    if (elsewhere(job) !== undefined) job.obstacleSince = now
    else waitOrFail(turn, job, job.obstacleSince)
  }
}

const waitOrFail = (turn: Turn, job: Job, since: number): void => {
  if (turn.now - since <= turn.state.policy.encoderWait) {
    return obstruct(turn, job, `Waiting for an encoder for ${demandOf(job)}`)
  }
  fail(turn, job, exportError("encoder_unavailable", `No encoder for ${demandOf(job)} has been there for too long.`))
}

/** Exports whose encoders have all gone move to others, or wait for some. */
const lookAtChannels = (turn: Turn): void => {
  const { state, now } = turn
  for (const channel of state.channels.values()) {
    if (channel.emptySince === null) {
      for (const job of channel.jobs) if (job.phase === "running" && isServed(job)) obstruct(turn, job, null)
    } else if (now - channel.emptySince > state.policy.strandedAfter) {
      for (const job of Array.from(channel.jobs)) {
        if (job.phase !== "running" || !isNeeded(job, channel)) continue
        if (elsewhere(job) !== undefined) planAnew(turn, job)
        else waitOrFail(turn, job, channel.emptySince)
      }
    }
  }
}

const isServed = (job: Job): boolean => {
  for (const { channel } of job.run?.lineups.values() ?? []) if (channel.emptySince !== null) return false
  return true
}

const isNeeded = (job: Job, channel: Channel): boolean => {
  for (const { lineup, state } of job.run?.tasks.values() ?? []) {
    if (lineup.channel === channel && state !== "done") return true
  }
  return false
}
