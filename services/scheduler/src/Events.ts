import type { ExportError, ExportStatus, Family, Progress, VideoCodec } from "@reelay/contracts/Export"
import type { AttemptId, ExportId, NodeId, TaskKey, UserId } from "@reelay/contracts/Ids"
import type { FailureKind, TaskMessage, TaskProgress, TaskResult } from "@reelay/contracts/messages/Messages"
import type { Advertisement } from "@reelay/contracts/Node"
import type { Build, Manifest, Plan, PoolName } from "@reelay/contracts/Plan"
import type { StoredOutput } from "@reelay/platform/Tables"
import type { Class } from "./FairQueue.ts"

/** An export's row, as far as deciding needs it. */
export interface Row {
  readonly id: ExportId
  readonly user: UserId
  readonly status: ExportStatus
  readonly epoch: number
  readonly urgency: Class
  readonly codec: VideoCodec
  readonly labels: ReadonlyArray<string>
  readonly frames: number
  /** When it last changed: milliseconds since 1970, by Postgres. */
  readonly changedMillis: number
  /** Copying frames has failed once, in whatever run: all of them are encoded. */
  readonly noSmartCut: boolean
}

/** A failed attempt of the run that is still going on, from Postgres. */
export interface PastAttempt {
  readonly id: string
  readonly epoch: number
  readonly task: TaskKey
  readonly kind: FailureKind
  readonly nodeId: NodeId
  readonly family: Family | null
  readonly error: ExportError
}

/** What the store says of a plan: tasks that need not be done (any more), and what the last one made. */
export interface Found {
  readonly done: ReadonlySet<TaskKey>
  readonly final: Manifest | null
}

/** A plan, its JSON text, and that of its row, which has the spec elsewhere. */
export interface Written {
  readonly plan: Plan
  readonly text: string
  readonly stored: string
  /** With its only task, as that one's message carries it (decision 13); else the plan is an object. */
  readonly travels: boolean
}

/** A task that is in the stream: waiting, or with an encoder that has not acknowledged it. */
export interface QueuedTask {
  readonly id: ExportId
  readonly task: TaskKey
  readonly pool: string
  readonly subject: string
}

/** Everything that happens to the scheduler. `token` names the command that it answers. */
export type Event =
  /** The api rang: a new export, a retry, a cancel. Or a check of one's own. */
  | { readonly _tag: "Rang"; readonly id: ExportId }
  /** All rows that are pending or processing, as of `sequence`. */
  | {
      readonly _tag: "Surveyed"
      readonly asOf: number
      readonly rows: ReadonlyArray<{ readonly id: ExportId; readonly status: ExportStatus; readonly epoch: number }>
    }
  /** The rows that were asked for. `missing`: deleted. Reads arrive in the order in which they were made. */
  | {
      readonly _tag: "Rows"
      readonly asOf: number
      readonly rows: ReadonlyArray<Row>
      readonly missing: ReadonlyArray<ExportId>
    }
  | (Written & {
      readonly _tag: "Planned"
      readonly id: ExportId
      readonly token: number
      readonly found: Found
    })
  | {
      readonly _tag: "PlanFailed"
      readonly id: ExportId
      readonly token: number
      readonly kind: FailureKind
      readonly message: string
    }
  /** The move to `processing` at `epoch` is written; or it was not for us to make. */
  | { readonly _tag: "Started"; readonly id: ExportId; readonly token: number; readonly won: boolean }
  | (Written & {
      readonly _tag: "Loaded"
      readonly id: ExportId
      readonly token: number
      readonly found: Found
      readonly attempts: ReadonlyArray<PastAttempt>
      readonly runningSeconds: number
    })
  /** `unreadable`: the stored plan does not decode, else the store or the database failed. */
  | { readonly _tag: "LoadFailed"; readonly id: ExportId; readonly token: number; readonly unreadable: boolean }
  /** What the streams hold, as of `sequence`: tasks by `exportId.taskKey`; and what is on its way into the first or out of the second. */
  | {
      readonly _tag: "Outstanding"
      readonly asOf: number
      readonly tasks: ReadonlyMap<string, QueuedTask>
      readonly results: ReadonlySet<string>
    }
  /** `failed`: the store did not answer. */
  | {
      readonly _tag: "Looked"
      readonly id: ExportId
      readonly epoch: number
      readonly task: TaskKey
      readonly manifest: Manifest | null
      readonly failed: boolean
    }
  | { readonly _tag: "Result"; readonly result: TaskResult }
  | {
      readonly _tag: "Linked"
      readonly id: ExportId
      readonly token: number
      readonly epoch: number
      readonly user: UserId
      readonly outputs: ReadonlyArray<StoredOutput>
    }
  /** Some of them may be in place. `vanished`: a made file is no longer there. */
  | {
      readonly _tag: "LinkFailed"
      readonly id: ExportId
      readonly token: number
      readonly epoch: number
      readonly user: UserId
      readonly vanished: boolean
    }
  /** The terminal state is written; or it was not for us to write. */
  | {
      readonly _tag: "Ended"
      readonly id: ExportId
      readonly token: number
      readonly won: boolean
      readonly status: "completed" | "failed"
    }
  /** Postgres refuses what we write of this export, for good. */
  | { readonly _tag: "Refused"; readonly id: ExportId; readonly token: number; readonly reason: string }
  | { readonly _tag: "Progressed"; readonly progress: TaskProgress }
  | { readonly _tag: "NodeSeen"; readonly advertisement: Advertisement }
  | { readonly _tag: "NodeLeft"; readonly id: NodeId }
  /** NATS was away, may be another one, or was not looked after for a while: consumers must be made sure of. */
  | { readonly _tag: "Reconnected" }
  | { readonly _tag: "Paused"; readonly paused: boolean }
  /** What earlier leaders published. */
  | { readonly _tag: "Floors"; readonly floors: ReadonlyMap<ExportId, Progress> }
  /** Time passes: several times a second. */
  | { readonly _tag: "Tick" }

interface Place {
  readonly id: ExportId
  readonly user: UserId
}

export interface AttemptFacts extends Place {
  readonly attempt: AttemptId
  readonly epoch: number
  readonly task: string
  readonly kind: FailureKind
  readonly nodeId: NodeId
  readonly family: Family | null
  readonly error: ExportError
  readonly log: string
  readonly seconds: number
}

/** Everything that it makes happen. Commands of one export are carried out in their order. */
export type Command =
  | { readonly _tag: "Inspect"; readonly id: ExportId }
  | {
      readonly _tag: "Plan"
      readonly id: ExportId
      readonly user: UserId
      readonly token: number
      readonly family: Family
      readonly build: Build
      /** The epoch that it would be. */
      readonly epoch: number
      readonly noSmartCut: boolean
    }
  | { readonly _tag: "Load"; readonly id: ExportId; readonly user: UserId; readonly token: number }
  | (Place & {
      readonly _tag: "Start"
      readonly token: number
      readonly from: "pending" | "processing"
      /** Of the row before. */
      readonly epoch: number
      readonly plan: Plan
      /** The plan as the row has it: JSON without the spec. */
      readonly stored: string
    })
  /** `again`: it was out before. */
  | { readonly _tag: "Dispatch"; readonly message: TaskMessage; readonly again: boolean }
  | (Place & { readonly _tag: "Look"; readonly epoch: number; readonly task: TaskKey })
  | (AttemptFacts & { readonly _tag: "RecordAttempt" })
  /** What earlier epochs may have linked goes. */
  | (Place & { readonly _tag: "Link"; readonly token: number; readonly epoch: number; readonly manifest: Manifest })
  | (Place & {
      readonly _tag: "Complete"
      readonly token: number
      readonly epoch: number
      readonly outputs: ReadonlyArray<StoredOutput>
    })
  | (Place & {
      readonly _tag: "Fail"
      readonly token: number
      readonly from: "pending" | "processing"
      readonly epoch: number
      readonly error: ExportError
    })
  /** Links that no completed row will ever show. */
  | (Place & { readonly _tag: "Unlink"; readonly epoch: number })
  /** Every queued task of an export; or one subject. */
  | { readonly _tag: "Purge"; readonly id: ExportId; readonly subject: string }
  | { readonly _tag: "Stop"; readonly id: ExportId; readonly epoch: number }
  | (Place & { readonly _tag: "Announce"; readonly epoch: number; readonly status: ExportStatus })
  | (Place & { readonly _tag: "Report"; readonly progress: Progress })
  | { readonly _tag: "SayOrder"; readonly waiting: ReadonlyArray<ExportId>; readonly paused: boolean }
  | { readonly _tag: "EnsureConsumer"; readonly pool: PoolName }
  /** The streams should be looked at soon: something is presumed outstanding. */
  | { readonly _tag: "LookAround" }
