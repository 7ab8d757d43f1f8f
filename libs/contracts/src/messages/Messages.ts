import { Schema } from "effect"
import { ExportStatus, Progress } from "../Export.ts"
import { ExportId, NodeId, TaskKey, UserId } from "../Ids.ts"
import { Advertisement } from "../Node.ts"
import { Manifest, PoolName } from "../Plan.ts"
import { Count, Positive } from "../Quantity.ts"
import * as Message from "./Message.ts"
import { NODES_BUCKET, nodeSubject } from "./Topology.ts"

const V1 = Schema.Literal(1)

/** Doorbell of the api: the row is the request. */
export const ExportRequested = Schema.Struct({
  v: V1,
  exportId: ExportId,
  userId: UserId,
  /** Whoever's were accepted in the same moment. A scheduler of the release before does not hear them, and finds their rows. */
  others: Schema.optionalKey(Schema.Array(ExportId))
})
export type ExportRequested = typeof ExportRequested.Type
export const exportRequested = Message.make({
  name: "ExportRequested",
  version: 1,
  schema: ExportRequested,
  filter: "exports.requested",
  subject: () => "exports.requested",
  // A retried export rings again within the duplicate window, so the id alone would swallow it.
  dedupeId: null
})

/** Broadcasts on core NATS, heard by whoever is there, repeated until settled. */
export const Control = Schema.Union([
  /** `epoch`: only its tasks of that epoch and older (a retry or re-plan may already run); absent: all of them. */
  Schema.TaggedStruct("Cancel", { v: V1, exportId: ExportId, epoch: Schema.optionalKey(Count) }),
  Schema.TaggedStruct("Drain", { v: V1, nodeId: NodeId }),
  Schema.TaggedStruct("Resume", { v: V1, nodeId: NodeId }),
  Schema.TaggedStruct("Stop", { v: V1, nodeId: NodeId }),
  /** Pause or resume the whole queue; the value that holds is the row in Postgres. */
  Schema.TaggedStruct("Queue", { v: V1, paused: Schema.Boolean })
])
export type Control = typeof Control.Type
export const control = Message.make({
  name: "Control",
  version: 1,
  schema: Control,
  filter: "exports.control",
  subject: () => "exports.control",
  dedupeId: null
})

/**
 * A claimable task. Small: what is to be done stands in the plan object; or, since version 2, in the message itself, where
 * the task is the plan's only one.
 */
export const TaskMessage = Schema.Struct({
  v: Schema.Literals([1, 2]),
  exportId: ExportId,
  userId: UserId,
  epoch: Positive,
  pool: PoolName,
  task: TaskKey,
  /** Unique for each decision to dispatch: a message id that was used before would be swallowed after a purge. */
  dispatch: Schema.NonEmptyString,
  /** Object key of the Plan. */
  plan: Schema.NonEmptyString,
  /** The Plan as JSON text: there is no object. Version 2, so that a node that would look for one gives it back. */
  inline: Schema.optionalKey(Schema.NonEmptyString),
  /** Nodes on which this task failed: they give it back. */
  excludes: Schema.Array(NodeId),
  /** What a node must be labelled with; one that is not gives it back. Absent: nothing. */
  labels: Schema.optionalKey(Schema.Array(Schema.String))
})
export type TaskMessage = typeof TaskMessage.Type
export const taskMessage = Message.make({
  name: "Task",
  version: 2,
  schema: TaskMessage,
  filter: "tasks.>",
  subject: (m) => `tasks.${m.pool}.${m.exportId}.${m.task}`,
  dedupeId: (m) => `${m.task}:${m.epoch}:${m.dispatch}`
})

/**
 * Whose failure it is decides what happens: `input` fails the export at once; `encoder` takes the pool away and
 * re-plans; `resource` tries elsewhere; `storage` and `internal` are tried again; `timeout` counts as an attempt; `smartcut`
 * (what was copied does not go together with what was encoded) re-plans without copying.
 */
export const FailureKind = Schema.Literals([
  "input",
  "encoder",
  "resource",
  "storage",
  "timeout",
  "internal",
  "smartcut"
])
export type FailureKind = typeof FailureKind.Type

export const Outcome = Schema.Union([
  /** The manifest that holds: this worker's, or the earlier winner's (`reused`). */
  Schema.TaggedStruct("Done", { manifest: Manifest, reused: Schema.Boolean }),
  Schema.TaggedStruct("Failed", {
    kind: FailureKind,
    /** For the person who asked: no paths, no argv. */
    message: Schema.String,
    /** The end of ffmpeg's log, for operators. At most 8 KiB. */
    log: Schema.String,
    seconds: Schema.Finite
  }),
  Schema.TaggedStruct("Cancelled", {})
])
export type Outcome = typeof Outcome.Type

export const TaskResult = Schema.Struct({
  v: V1,
  exportId: ExportId,
  epoch: Positive,
  task: TaskKey,
  dispatch: Schema.NonEmptyString,
  nodeId: NodeId,
  pool: PoolName,
  outcome: Outcome
})
export type TaskResult = typeof TaskResult.Type
export const taskResult = Message.make({
  name: "TaskResult",
  version: 1,
  schema: TaskResult,
  filter: "results.>",
  subject: (m) => `results.${m.exportId}.${m.task}`,
  // Both workers of one dispatch may report; either report settles it.
  dedupeId: (m) => `${m.task}:${m.epoch}:${m.dispatch}:${m.nodeId}`
})

/** Frames so far of one running task, at most twice a second, on core NATS into a last-value stream. */
export const TaskProgress = Schema.Struct({
  v: V1,
  exportId: ExportId,
  epoch: Positive,
  task: TaskKey,
  nodeId: NodeId,
  frames: Count,
  /** ffmpeg's speed, times real time; null while unknown. */
  speed: Schema.NullOr(Schema.Finite)
})
export type TaskProgress = typeof TaskProgress.Type
export const taskProgress = Message.make({
  name: "TaskProgress",
  version: 1,
  schema: TaskProgress,
  filter: "progress.*.*",
  subject: (m) => `progress.${m.exportId}.${m.task}`,
  dedupeId: null
})

/** An export's progress as a whole, reckoned by the scheduler, which alone knows plan, queue and done tasks. */
export const ExportProgress = Schema.Struct({ v: V1, exportId: ExportId, userId: UserId, progress: Progress })
export type ExportProgress = typeof ExportProgress.Type
export const exportProgress = Message.make({
  name: "ExportProgress",
  version: 1,
  schema: ExportProgress,
  filter: "progress.*",
  subject: (m) => `progress.${m.exportId}`,
  dedupeId: null
})

/** The order of what waits; an export's queue position is its place here. One message, last value, for all. */
export const QUEUE_ORDER_LIMIT = 5000
export const QueueOrder = Schema.Struct({
  v: V1,
  waiting: Schema.Array(ExportId),
  /** By an operator: nothing of it begins. Absent: not so, or a scheduler of the release before, which does not say. */
  paused: Schema.optionalKey(Schema.Boolean)
})
export type QueueOrder = typeof QueueOrder.Type
export const queueOrder = Message.make({
  name: "QueueOrder",
  version: 1,
  schema: QueueOrder,
  filter: "queue.order",
  subject: () => "queue.order",
  dedupeId: null
})

/** A change of state, published by the scheduler only. Whoever wants more reads the row. */
export const ExportEvent = Schema.Struct({
  v: V1,
  exportId: ExportId,
  userId: UserId,
  epoch: Count,
  status: ExportStatus
})
export type ExportEvent = typeof ExportEvent.Type
export const exportEvent = Message.make({
  name: "ExportEvent",
  version: 1,
  schema: ExportEvent,
  filter: "events.*",
  subject: (m) => `events.${m.exportId}`,
  dedupeId: null
})

/** A node's heartbeat: its entry in the bucket, put as a message, since an encoder may not manage buckets. */
export const nodeAdvertisement = Message.make({
  name: "Advertisement",
  version: 1,
  schema: Advertisement,
  filter: `$KV.${NODES_BUCKET}.*`,
  subject: (m) => nodeSubject(m.id),
  dedupeId: null
})
