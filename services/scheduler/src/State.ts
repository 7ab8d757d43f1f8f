import type { Family, Progress, VideoCodec } from "@reelay/contracts/Export"
import type { ExportId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import type { Advertisement } from "@reelay/contracts/Node"
import type { Build, Manifest, Plan, PoolName, Task } from "@reelay/contracts/Plan"
import type { Found, Written } from "./Events.ts"
import type { FairQueue } from "./FairQueue.ts"
import type { Class, Share, Waiting } from "./FairQueue.ts"
import { Heap } from "./Heap.ts"

/**
 * What the active scheduler knows. Nothing here is the truth: all of it can be rebuilt from Postgres, the streams and
 * the store, and is, by every new leader. `decide` owns it and changes it in place (10,000 waiting exports are not
 * copied for each event); it is handed over with each call and nobody else writes it.
 *
 * Times are monotonic milliseconds. `sequence` counts decisions: it orders what is known against what is read.
 */
export interface State {
  readonly policy: Policy
  /** Sets the dispatch ids of this leader apart from those of all others. */
  readonly term: Term
  sequence: number
  /** Counts commands and turns: names what is answered, and says who was served last. */
  tokens: number
  dispatches: number
  /** Null: not known yet. Nothing begins in a queue that operators may have paused. */
  paused: boolean | null
  readonly jobs: Map<ExportId, Job>
  readonly lanes: Map<string, Lane>
  readonly users: Map<UserId, Share>
  /** Exports that count against the global cap. */
  active: number
  readonly nodes: Map<NodeId, NodeEntry>
  readonly pools: Map<PoolName, Pool>
  readonly channels: Map<string, Channel>
  groups: ReadonlyArray<Group>
  /** Pools that have a consumer, as far as is known. */
  readonly consumers: Set<PoolName>
  /** Tasks that are in the stream, or with an encoder, or whose result is on its way. By `exportId.taskKey`. */
  readonly outstanding: Map<string, TaskEntry>
  /** Exports whose running tasks must stop, and up to which epoch. */
  readonly settling: Map<ExportId, Settling>
  readonly timers: Heap<Timer>
  /** Exports whose progress may have changed since it was last published. */
  readonly stirred: Set<Job>
  /** Progress published before this leader began, so that no percentage falls. */
  readonly floors: Map<ExportId, Progress>
  /** `sequence` at which exports were forgotten, as long as a read from before may still arrive. */
  readonly forgotten: Map<ExportId, number>
  /** Exports whose tasks are queued or run, though nobody here knows them: looked up before anything is stopped. */
  readonly strays: Set<ExportId>
  /** Exports whose last write of ours may or may not hold, and the epoch under which files may be linked in vain. */
  readonly unsure: Map<ExportId, { readonly user: UserId; readonly epoch: number }>
  queueChanged: boolean
  queueSaidAt: number
  /** Something changed that may let a waiting export begin. */
  admissible: boolean
  readonly ready: Set<Group>
  lookedAt: number
}

export interface Policy {
  readonly maxActive: number
  readonly maxActivePerUser: number
  /** Tasks that may wait in the queue for each node, beyond its slots. */
  readonly lookahead: number
  readonly taskAttempts: number
  /** Milliseconds, all of them. */
  readonly nodeTtl: number
  /** An export whose pool has had no encoder for so long is planned anew for another pool. */
  readonly strandedAfter: number
  /** An export that no encoder could run for so long fails. */
  readonly encoderWait: number
}

export interface Term {
  /** Eight hexadecimal digits, random. */
  readonly seed: string
  /** Wall clock less monotonic clock when the term began. */
  readonly wallOffset: number
}

/** Exports that any encoder of the same kind can run. */
export interface Lane {
  readonly key: string
  readonly codec: VideoCodec
  readonly labels: ReadonlyArray<string>
  readonly queue: FairQueue<Job>
  /** Where its exports may run now, best first. */
  candidates: ReadonlyArray<Candidate>
  /** Since when there has been no candidate. */
  unfitSince: number | null
}

export interface Candidate {
  readonly family: Family
  readonly build: Build
  readonly video: Channel
  readonly light: Channel
}

/**
 * - `waiting`: pending, in its lane.
 * - `planning`: chosen; the planner works on it (pending, or processing when planned anew).
 * - `starting`: the move to `processing` is being written.
 * - `loading`: found processing; its plan is being read.
 * - `running`: tasks are worked on.
 * - `linking`: all done; its outputs are being put in place.
 * - `ending`: the terminal state is being written.
 * - `stuck`: Postgres refuses even that. It is left alone until another leader looks.
 */
export type Phase = "waiting" | "planning" | "starting" | "loading" | "running" | "linking" | "ending" | "stuck"

export interface Job extends Waiting {
  readonly id: ExportId
  readonly user: UserId
  readonly urgency: Class
  /** Milliseconds since 1970, by Postgres' clock, when it became pending. */
  readonly order: number
  readonly frames: number
  readonly lane: Lane
  /** Of the row, as far as is known. */
  epoch: number
  status: "pending" | "processing"
  phase: Phase
  /** Answers that name another token are late. */
  token: number
  /** `sequence` of the last change: rows read before it say nothing. */
  changed: number
  /** A row that was read while we wrote said something else: it is read again when the write is done. */
  doubtful: boolean
  /** Counts against the caps. */
  counted: boolean
  candidate: Candidate | null
  /** Where tasks of it are expected while it is planned. */
  expecting: Pool | null
  readonly broken: Set<Family>
  /** Copying frames has failed: all of them are encoded. */
  noSmartCut: boolean
  /** Failed tries of planning or linking in a row. */
  tries: number
  /** What `starting` will open. */
  prepared: (Written & { readonly found: Found }) | null
  run: Run | null
  /** Since when, on this leader's clock, it runs (as if it had been there from the start). */
  startedAt: number
  progress: Progress | null
  progressSaidAt: number
  /** Why it waits although it is its turn. */
  obstacle: string | null
  obstacleSince: number
}

/** The task graph of one epoch. */
export interface Run {
  readonly plan: Plan
  /** The plan's text, where it travels with its only task. */
  readonly inline: string | null
  readonly epoch: number
  readonly tasks: Map<TaskKey, TaskEntry>
  readonly lineups: Map<PoolName, Lineup>
  readonly framesTotal: number
  readonly finishingTotal: number
  outstanding: number
  framesDone: number
  framesRunning: number
  finishingDone: number
  /** Frames done at times of the last seconds, oldest first: the speed is their slope. */
  readonly pace: Array<{ readonly at: number; readonly frames: number }>
  final: Manifest | null
}

/** A run's ready tasks of one pool, as they stand in that pool's queue. */
export interface Lineup extends Waiting {
  readonly user: UserId
  readonly urgency: Class
  readonly order: number
  readonly job: Job
  readonly channel: Channel
  /** First is next. */
  readonly tasks: Array<TaskEntry>
}

/**
 * - `waiting` for tasks it needs; `ready` to be dispatched; `resting` after a failure
 * - `dispatched`: in the stream, with an encoder, or its result on the way (or presumed so)
 * - `checking`: it vanished; the store is asked whether it was done
 */
export type TaskState = "waiting" | "ready" | "resting" | "dispatched" | "checking" | "done"

export interface TaskEntry {
  readonly task: Task
  readonly job: Job
  readonly lineup: Lineup
  state: TaskState
  /** Needed tasks that are not done. */
  missing: number
  readonly dependents: Array<TaskEntry>
  /** Null while dispatched: by an earlier leader, so any dispatch of this epoch counts. */
  dispatch: string | null
  /** `sequence` of the dispatch. */
  dispatchedAt: number
  failures: number
  readonly excludes: Set<NodeId>
  /** Dispatches whose failure is counted already. */
  readonly counted: Set<string>
  /** Reported so far, while it runs. */
  frames: number
}

export interface NodeEntry {
  readonly id: NodeId
  advertisement: Advertisement
  seenAt: number
}

/** Encoders that are interchangeable for one family, codec and build; or for light tasks of one build. */
export interface Pool {
  readonly name: PoolName
  readonly light: boolean
  readonly channels: Set<Channel>
  nodes: ReadonlyArray<NodeEntry>
  group: Group | null
  /** Slots and look-ahead of its nodes. */
  room: number
  /** Weight of what is outstanding, of what is ready, and exports that are about to bring more. */
  used: number
  waiting: number
  expected: number
}

/** Pools whose nodes overlap share their slots. */
export interface Group {
  readonly pools: ReadonlyArray<Pool>
  readonly room: number
}

/** A pool as seen by exports that demand certain labels of a node. */
export interface Channel {
  readonly key: string
  readonly pool: Pool
  readonly labels: ReadonlyArray<string>
  readonly queue: FairQueue<Lineup>
  readonly shares: Map<UserId, Share>
  /** Exports that run here: by class, and by user and class. */
  readonly active: [number, number, number]
  readonly activeOf: Map<UserId, [number, number, number]>
  readonly jobs: Set<Job>
  room: number
  used: number
  emptySince: number | null
}

export interface Settling {
  readonly epoch: number
  readonly since: number
}

export interface Timer {
  readonly due: number
  readonly fire:
    | { readonly _tag: "task"; readonly entry: TaskEntry }
    | { readonly _tag: "job"; readonly job: Job; readonly token: number }
}

export const initial = (policy: Policy, term: Term): State => ({
  policy,
  term,
  sequence: 0,
  tokens: 0,
  dispatches: 0,
  paused: null,
  jobs: new Map(),
  lanes: new Map(),
  users: new Map(),
  active: 0,
  nodes: new Map(),
  pools: new Map(),
  channels: new Map(),
  groups: [],
  consumers: new Set(),
  outstanding: new Map(),
  settling: new Map(),
  timers: new Heap((a, b) => a.due < b.due),
  stirred: new Set(),
  floors: new Map(),
  forgotten: new Map(),
  strays: new Set(),
  unsure: new Map(),
  queueChanged: true,
  queueSaidAt: Number.NEGATIVE_INFINITY,
  admissible: false,
  ready: new Set(),
  lookedAt: Number.NEGATIVE_INFINITY
})
