import { Family } from "@reelay/contracts/Export"
import type { NodeId, UserId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import { lightPool, videoPool } from "@reelay/contracts/Plan"
import type { PoolName } from "@reelay/contracts/Plan"
import { FairQueue } from "./FairQueue.ts"
import type { Class, Share } from "./FairQueue.ts"
import type { Candidate, Channel, Group, Job, Lane, NodeEntry, Pool, State } from "./State.ts"

/** Best first. Software is what is always there. */
const LADDER: ReadonlyArray<Family> = Family.literals

export const isLight = (pool: string): boolean => pool.startsWith("light-")

export const hasLabels = (node: NodeEntry, labels: ReadonlyArray<string>): boolean =>
  labels.every((label) => node.advertisement.labels.includes(label))

const slotsOf = (node: NodeEntry, pool: Pool): number =>
  pool.light ? node.advertisement.lightSlots.total : node.advertisement.slots.total

/** What a node can hold of a pool: its slots, and a little more, so that it need not wait for the next task. */
const roomOf = (state: State, node: NodeEntry, pool: Pool): number => {
  const slots = slotsOf(node, pool)
  return slots === 0 ? 0 : slots + state.policy.lookahead
}

const poolFor = (state: State, name: PoolName): Pool => {
  const known = state.pools.get(name)
  if (known !== undefined) return known
  const pool: Pool = {
    name,
    light: isLight(name),
    channels: new Set(),
    nodes: [],
    group: null,
    room: 0,
    used: 0,
    waiting: 0,
    expected: 0
  }
  state.pools.set(name, pool)
  return pool
}

/** The share of a user in something; made when it is not there. */
export const shareIn = (shares: Map<UserId, Share>, user: UserId, turn: number): Share => {
  let share = shares.get(user)
  if (share === undefined) {
    share = { load: 0, turn }
    shares.set(user, share)
  }
  return share
}

export const channelFor = (state: State, name: PoolName, labels: ReadonlyArray<string>, now: number): Channel => {
  const key = `${name}|${labels.join("|")}`
  const known = state.channels.get(key)
  if (known !== undefined) return known
  const pool = poolFor(state, name)
  const shares = new Map<UserId, Share>()
  const channel: Channel = {
    key,
    pool,
    labels,
    queue: new FairQueue((user) => shareIn(shares, user, ++state.tokens)),
    shares,
    active: [0, 0, 0],
    activeOf: new Map(),
    jobs: new Set(),
    room: 0,
    used: 0,
    emptySince: now
  }
  pool.channels.add(channel)
  state.channels.set(key, channel)
  measure(state, channel, now)
  return channel
}

const measure = (state: State, channel: Channel, now: number): void => {
  channel.room = 0
  for (const node of channel.pool.nodes) {
    if (hasLabels(node, channel.labels)) channel.room += roomOf(state, node, channel.pool)
  }
  if (channel.room > 0) channel.emptySince = null
  else channel.emptySince ??= now
}

/** Whether a node's new advertisement changes what can run where. Busy slots do not: the scheduler counts itself. */
export const changesCapacity = (before: Advertisement, after: Advertisement): boolean =>
  before.status !== after.status
  || before.build !== after.build
  || before.slots.total !== after.slots.total
  || before.lightSlots.total !== after.lightSlots.total
  || before.pools.join() !== after.pools.join()
  || before.labels.join() !== after.labels.join()

/** Pools, groups, channels and every lane's candidates, from the nodes that are there. Rare. */
export const rebuild = (state: State, now: number): void => {
  const nodes = [...state.nodes.values()].filter((node) => node.advertisement.status === "active")
  const byPool = new Map<Pool, Array<NodeEntry>>()
  for (const node of nodes) {
    for (const name of node.advertisement.pools) {
      const pool = poolFor(state, name)
      const there = byPool.get(pool)
      if (there === undefined) byPool.set(pool, [node])
      else there.push(node)
    }
  }
  for (const pool of state.pools.values()) {
    pool.nodes = byPool.get(pool) ?? []
    pool.room = pool.nodes.reduce((sum, node) => sum + roomOf(state, node, pool), 0)
    for (const channel of pool.channels) measure(state, channel, now)
  }
  regroup(state, nodes)
  for (const lane of state.lanes.values()) findCandidates(state, lane, now)
  prune(state)
  state.admissible = true
}

/** Pools that share a node share its slots: connected pools are one group. */
const regroup = (state: State, nodes: ReadonlyArray<NodeEntry>): void => {
  const parents = new Map<Pool, Pool>()
  const rootOf = (pool: Pool): Pool => {
    const parent = parents.get(pool)
    return parent === undefined || parent === pool ? pool : rootOf(parent)
  }
  const roomAt = new Map<NodeId, Map<Pool, number>>()
  for (const node of nodes) {
    const firsts: { light: Pool | null; video: Pool | null } = { light: null, video: null }
    const rooms = new Map<Pool, number>()
    for (const name of node.advertisement.pools) {
      const pool = state.pools.get(name)
      if (pool === undefined) continue
      const kind = pool.light ? "light" : "video"
      const first = firsts[kind]
      if (first === null) {
        firsts[kind] = pool
        rooms.set(pool, roomOf(state, node, pool))
      } else parents.set(rootOf(pool), rootOf(first))
    }
    roomAt.set(node.id, rooms)
  }
  const members = new Map<Pool, Array<Pool>>()
  for (const pool of state.pools.values()) {
    const root = rootOf(pool)
    const there = members.get(root)
    if (there === undefined) members.set(root, [pool])
    else there.push(pool)
  }
  const rooms = new Map<Pool, number>()
  for (const perPool of roomAt.values()) {
    for (const [pool, room] of perPool) rooms.set(rootOf(pool), (rooms.get(rootOf(pool)) ?? 0) + room)
  }
  const groups: Array<Group> = []
  state.ready.clear()
  for (const [root, pools] of members) {
    const group: Group = { pools, room: rooms.get(root) ?? 0 }
    groups.push(group)
    for (const pool of pools) pool.group = group
    state.ready.add(group)
  }
  state.groups = groups
}

/** Pools of builds that are gone, with nothing of theirs left. */
const prune = (state: State): void => {
  const needed = new Set<Channel>()
  for (const lane of state.lanes.values()) {
    for (const { light, video } of lane.candidates) needed.add(light).add(video)
  }
  for (const pool of state.pools.values()) {
    for (const channel of pool.channels) {
      if (needed.has(channel) || channel.jobs.size > 0 || channel.used > 0) continue
      pool.channels.delete(channel)
      state.channels.delete(channel.key)
    }
    if (pool.nodes.length === 0 && pool.channels.size === 0) state.pools.delete(pool.name)
  }
}

/** Where exports of this lane may run: by the ladder; of several builds the one with most room. */
export const findCandidates = (state: State, lane: Lane, now: number): void => {
  const builds = new Set([...state.nodes.values()].map((node) => node.advertisement.build))
  const found: Array<Candidate> = []
  for (const family of LADDER) {
    const here: Array<Candidate> = []
    for (const build of builds) {
      const videoName = videoPool(family, lane.codec, build)
      const lightName = lightPool(build)
      if (!state.pools.get(videoName)?.nodes.length || !state.pools.get(lightName)?.nodes.length) continue
      const video = channelFor(state, videoName, lane.labels, now)
      const light = channelFor(state, lightName, lane.labels, now)
      if (video.room > 0 && light.room > 0) here.push({ family, build, video, light })
    }
    here.sort((a, b) => b.video.room - a.video.room || (a.build < b.build ? -1 : 1))
    found.push(...here)
  }
  lane.candidates = found
  if (found.length > 0) lane.unfitSince = null
  else lane.unfitSince ??= now
}

const usedBy = (group: Group): number => group.pools.reduce((sum, pool) => sum + pool.used, 0)

/** Whether a task may go out now. One that is larger than everything goes when nothing else is out. */
export const fits = (channel: Channel, weight: number): boolean => {
  const { group } = channel.pool
  if (channel.room === 0 || group === null) return false
  const groupUsed = usedBy(group)
  return (
    groupUsed === 0
    || (channel.used + weight <= channel.room
      && channel.pool.used + weight <= channel.pool.room
      && groupUsed + weight <= group.room)
  )
}

const atLeast = (counts: readonly [number, number, number] | undefined, urgency: Class): number =>
  counts === undefined ? 0 : counts[0] + (urgency >= 1 ? counts[1] : 0) + (urgency === 2 ? counts[2] : 0)

/**
 * Whether it is time to begin an export here: there are slots that nothing already begun will fill; or it should share
 * the slots with what runs, because it is more urgent or its user has nothing there. Not more exports than slots, so
 * that order is decided late.
 */
export const hasRoomFor = (channel: Channel, job: Job): boolean => {
  const { group } = channel.pool
  if (channel.room === 0 || group === null) return false
  let used = 0
  let coming = 0
  let active = 0
  let own = 0
  for (const pool of group.pools) {
    used += pool.used
    coming += pool.waiting + pool.expected
    for (const each of pool.channels) {
      active += atLeast(each.active, job.urgency)
      own += atLeast(each.activeOf.get(job.user), job.urgency)
    }
  }
  const free = Math.min(channel.room - channel.used, channel.pool.room - channel.pool.used, group.room - used)
  return free > coming || (own === 0 && active < group.room)
}

/** The export's seat in a channel: what fairness between exports counts. */
export const seat = (channel: Channel, job: Job): void => {
  if (channel.jobs.has(job)) return
  channel.jobs.add(job)
  channel.active[job.urgency]++
  const own = channel.activeOf.get(job.user)
  if (own === undefined) {
    const first: [number, number, number] = [0, 0, 0]
    first[job.urgency] = 1
    channel.activeOf.set(job.user, first)
  } else own[job.urgency]++
}

export const unseat = (channel: Channel, job: Job): void => {
  if (!channel.jobs.delete(job)) return
  channel.active[job.urgency]--
  const own = channel.activeOf.get(job.user)
  if (own === undefined) return
  own[job.urgency]--
  if (own[0] + own[1] + own[2] > 0) return
  channel.activeOf.delete(job.user)
  if (channel.shares.get(job.user)?.load === 0) channel.shares.delete(job.user)
}
