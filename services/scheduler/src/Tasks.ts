import { planObject } from "@reelay/contracts/ObjectKeys"
import type { NodeId, TaskKey } from "@reelay/contracts/Ids"
import { bringsPicture } from "@reelay/contracts/Plan"
import type { Manifest, PoolName, Work } from "@reelay/contracts/Plan"
import { channelFor, fits, hasLabels, seat, shareIn, unseat } from "./Capacity.ts"
import type { Found, Written } from "./Events.ts"
import type { Channel, Group, Job, Lineup, Run, State, TaskEntry } from "./State.ts"
import { emit, nextDispatch } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

export const outstandingKey = (id: string, task: string): string => `${id}.${task}`

const FINISHING: ReadonlySet<Work["_tag"]> = new Set(["soundcopy", "soundtrack", "mux", "zip"])
const finishes = ({ _tag }: Work): boolean => FINISHING.has(_tag)

/**
 * Lays a plan's tasks out. `presumed`: an earlier leader dispatched them, so what could run is taken to be outstanding
 * until the streams say otherwise.
 */
export const openRun = (
  turn: Turn,
  job: Job,
  { found, plan, text, travels }: Written & { readonly found: Found },
  presumed: boolean
): Run => {
  const tasks = new Map<TaskKey, TaskEntry>()
  const lineups = new Map<PoolName, Lineup>()
  let framesTotal = 0
  let finishingTotal = 0
  for (const task of plan.tasks) {
    let lineup = lineups.get(task.pool)
    if (lineup === undefined) {
      const channel = channelFor(turn.state, task.pool, job.lane.labels, turn.now)
      seat(channel, job)
      const order = turn.state.sequence
      lineup = { user: job.user, urgency: job.urgency, order, job, channel, tasks: [] }
      lineups.set(task.pool, lineup)
    }
    if (bringsPicture(task.work)) framesTotal += task.frames
    if (finishes(task.work)) finishingTotal++
    tasks.set(task.key, {
      task,
      job,
      lineup,
      state: "waiting",
      missing: 0,
      dependents: [],
      dispatch: null,
      dispatchedAt: 0,
      failures: 0,
      excludes: new Set(),
      counted: new Set(),
      frames: 0
    })
  }
  const run: Run = {
    plan,
    inline: travels ? text : null,
    epoch: job.epoch,
    tasks,
    lineups,
    framesTotal,
    finishingTotal,
    outstanding: 0,
    framesDone: 0,
    framesRunning: 0,
    finishingDone: 0,
    pace: [],
    final: found.final
  }
  job.run = run
  for (const entry of tasks.values()) {
    if (found.done.has(entry.task.key)) settle(run, entry)
    for (const key of entry.task.needs) {
      const need = tasks.get(key)
      if (need === undefined || found.done.has(key)) continue
      need.dependents.push(entry)
      entry.missing++
    }
  }
  // The longest first: what is short fills the gaps at the end, where a long one would leave all slots but its own idle.
  for (const entry of [...tasks.values()].toSorted((one, other) => other.task.frames - one.task.frames)) {
    if (entry.state !== "waiting" || entry.missing > 0) continue
    if (presumed) occupy(turn, entry, null)
    else makeReady(turn, entry, false)
  }
  return run
}

/** Takes everything that a run holds out of the queues. Whether something of it may still be worked on. */
export const closeRun = (turn: Turn, job: Job): boolean => {
  const { run } = job
  if (run === null) return false
  const busy = run.outstanding > 0
  for (const entry of run.tasks.values()) withdraw(turn, entry)
  for (const { channel } of run.lineups.values()) unseat(channel, job)
  job.run = null
  return busy
}

const settle = (run: Run, entry: TaskEntry): void => {
  entry.state = "done"
  if (bringsPicture(entry.task.work)) run.framesDone += entry.task.frames
  if (finishes(entry.task.work)) run.finishingDone++
}

/** The task is done; what needed only this becomes ready. True when that was the last. */
export const markDone = (turn: Turn, entry: TaskEntry, manifest: Manifest): boolean => {
  const { run } = entry.job
  if (run === null || entry.state === "done") return false
  withdraw(turn, entry)
  settle(run, entry)
  turn.state.stirred.add(entry.job)
  for (const dependent of entry.dependents) {
    dependent.missing--
    if (dependent.missing === 0 && dependent.state === "waiting") makeReady(turn, dependent, false)
  }
  if (entry.task.key !== run.plan.final) return false
  run.final = manifest
  return true
}

/** Into the pool's queue; `first`: before the run's other tasks, as it was out already. */
export const makeReady = (turn: Turn, entry: TaskEntry, first: boolean): void => {
  const { lineup } = entry
  withdraw(turn, entry)
  entry.state = "ready"
  if (first) lineup.tasks.unshift(entry)
  else lineup.tasks.push(entry)
  const { pool } = lineup.channel
  pool.waiting += entry.task.weight
  lineup.channel.queue.add(lineup)
  if (pool.group !== null) turn.state.ready.add(pool.group)
}

/** Out of wherever it is; it holds no slot and no place in a queue. */
export const withdraw = (turn: Turn, entry: TaskEntry): void => {
  const { state } = turn
  const { lineup } = entry
  const { channel } = lineup
  if (entry.state === "ready") {
    const place = lineup.tasks.indexOf(entry)
    if (place >= 0) lineup.tasks.splice(place, 1)
    if (lineup.tasks.length === 0) channel.queue.remove(lineup)
    channel.pool.waiting -= entry.task.weight
    state.admissible = true
  } else if (entry.state === "dispatched") {
    load(turn, lineup, -entry.task.weight)
    state.outstanding.delete(outstandingKey(entry.job.id, entry.task.key))
    if (entry.job.run !== null) {
      entry.job.run.outstanding--
      entry.job.run.framesRunning -= entry.frames
    }
    entry.dispatch = null
    entry.frames = 0
    if (channel.pool.group !== null) state.ready.add(channel.pool.group)
    state.admissible = true
  }
  entry.state = "waiting"
}

const load = (turn: Turn, lineup: Lineup, weight: number): void => {
  const { channel, user } = lineup
  channel.used += weight
  channel.pool.used += weight
  const share = shareIn(channel.shares, user, ++turn.state.tokens)
  share.load += weight
  if (weight > 0) share.turn = ++turn.state.tokens
  channel.queue.moved(user)
}

/** After a failure: ready again when the time comes. */
export const rest = (turn: Turn, entry: TaskEntry, millis: number): void => {
  withdraw(turn, entry)
  entry.state = "resting"
  turn.state.timers.add({ due: turn.now + millis, fire: { _tag: "task", entry } })
}

/** The streams do not have it: the store is asked whether it was done. */
export const check = (turn: Turn, entry: TaskEntry): void => {
  withdraw(turn, entry)
  entry.state = "checking"
  look(turn, entry)
}

export const look = (turn: Turn, { job, task }: TaskEntry): void => {
  if (job.run === null) return
  emit(turn, { _tag: "Look", id: job.id, user: job.user, epoch: job.run.epoch, task: task.key })
}

/** Taken to be with an encoder until the streams say otherwise. */
export const presume = (turn: Turn, entry: TaskEntry): void => {
  withdraw(turn, entry)
  occupy(turn, entry, null)
}

/** Holds a slot from now on. */
const occupy = (turn: Turn, entry: TaskEntry, dispatch: string | null): void => {
  entry.state = "dispatched"
  entry.dispatch = dispatch
  entry.dispatchedAt = turn.state.sequence
  turn.state.outstanding.set(outstandingKey(entry.job.id, entry.task.key), entry)
  if (entry.job.run !== null) entry.job.run.outstanding++
  load(turn, entry.lineup, entry.task.weight)
}

/** The encoders that could do this task now, and those of them on which it has not failed. */
export const encodersFor = (channel: Channel, excludes: ReadonlySet<NodeId>) => {
  const able = channel.pool.nodes.filter((node) => hasLabels(node, channel.labels))
  return { able, fresh: able.filter((node) => !excludes.has(node.id)) }
}

/** Nodes that are to give it back: without the labels, or where it failed, unless it failed everywhere. */
const excludesOf = (entry: TaskEntry): ReadonlyArray<NodeId> => {
  const { channel } = entry.lineup
  if (channel.labels.length === 0 && entry.excludes.size === 0) return []
  const { fresh, able } = encodersFor(channel, entry.excludes)
  const wanted = fresh.length > 0 ? fresh : able
  return channel.pool.nodes.filter((node) => !wanted.includes(node)).map((node) => node.id)
}

const dispatch = (turn: Turn, entry: TaskEntry, run: Run): void => {
  const { job, task } = entry
  const again = entry.dispatchedAt > 0
  withdraw(turn, entry)
  const id = nextDispatch(turn)
  occupy(turn, entry, id)
  emit(turn, {
    _tag: "Dispatch",
    again,
    message: {
      v: run.inline === null ? 1 : 2,
      exportId: job.id,
      userId: job.user,
      epoch: run.epoch,
      pool: task.pool,
      task: task.key,
      dispatch: id,
      plan: planObject(job.user, job.id, run.epoch),
      ...(run.inline === null ? {} : { inline: run.inline }),
      excludes: excludesOf(entry),
      ...(job.lane.labels.length === 0 ? {} : { labels: job.lane.labels })
    }
  })
}

const nextOf = (group: Group): TaskEntry | null => {
  let best: Lineup | null = null
  for (const pool of group.pools) {
    for (const channel of pool.channels) {
      const lineup = channel.queue.first()
      const entry = lineup?.tasks[0]
      if (lineup === undefined || entry === undefined || !fits(channel, entry.task.weight)) continue
      if (best === null || precedes(lineup, best)) best = lineup
    }
  }
  return best?.tasks[0] ?? null
}

const loadOf = (lineup: Lineup): number => lineup.channel.shares.get(lineup.user)?.load ?? 0

const precedes = (a: Lineup, b: Lineup): boolean => {
  if (a.urgency !== b.urgency) return a.urgency < b.urgency
  const difference = loadOf(a) - loadOf(b)
  return difference !== 0 ? difference < 0 : a.order < b.order
}

/** Fills the slots of every group where something changed. */
export const dispatchReady = (turn: Turn): void => {
  const { state } = turn
  if (state.paused !== false) return
  for (const group of state.ready) {
    for (let entry = nextOf(group); entry !== null; entry = nextOf(group)) {
      const { run } = entry.job
      if (run === null) throw new Error("a ready task without a run")
      dispatch(turn, entry, run)
    }
  }
  state.ready.clear()
}

/** What slots would be used if there were enough, by pool: for autoscaling. */
export const slotsWanted = (state: State): ReadonlyMap<PoolName, number> => {
  const wanted = new Map<PoolName, number>()
  for (const pool of state.pools.values()) wanted.set(pool.name, pool.used + pool.waiting + pool.expected)
  for (const lane of state.lanes.values()) {
    const [best] = lane.candidates
    if (best === undefined) continue
    wanted.set(best.video.pool.name, (wanted.get(best.video.pool.name) ?? 0) + lane.queue.size)
  }
  return wanted
}
