/**
 * Every stream, consumer, bucket and role on NATS, in one place. Plain data: `libs/platform/Bus` creates it and
 * `libs/platform/NatsConfig` writes the server's users from it. Only what nats-server 2.9.10 knows.
 */
import type { NodeId } from "../Ids.ts"
import type { PoolName } from "../Plan.ts"

export interface StreamDeclaration {
  readonly name: string
  readonly subjects: ReadonlyArray<string>
  readonly retention: "workqueue" | "limits"
  readonly storage: "file" | "memory"
  /** Seconds; 0: for ever. */
  readonly maxAge: number
  /** 0: no limit. 1: a last-value stream. */
  readonly maxPerSubject: number
}

export const EXPORTS = "EXPORTS"
export const TASKS = "TASKS"
export const RESULTS = "RESULTS"
export const EVENTS = "EVENTS"
export const PROGRESS = "PROGRESS"
export const NODES_BUCKET = "nodes"
/** The stream under the bucket. */
export const NODES_STREAM = `KV_${NODES_BUCKET}`

const HOUR = 3600
const DAY = 24 * HOUR

export const STREAMS: ReadonlyArray<StreamDeclaration> = [
  {
    name: EXPORTS,
    subjects: ["exports.requested"],
    retention: "workqueue",
    storage: "file",
    maxAge: 0,
    maxPerSubject: 0
  },
  { name: TASKS, subjects: ["tasks.>"], retention: "workqueue", storage: "file", maxAge: 0, maxPerSubject: 0 },
  { name: RESULTS, subjects: ["results.>"], retention: "workqueue", storage: "file", maxAge: 0, maxPerSubject: 0 },
  { name: EVENTS, subjects: ["events.>"], retention: "limits", storage: "file", maxAge: 7 * DAY, maxPerSubject: 0 },
  {
    name: PROGRESS,
    subjects: ["progress.>", "queue.order"],
    retention: "limits",
    storage: "memory",
    maxAge: HOUR,
    maxPerSubject: 1
  }
]

/** Seconds after which a node that has said nothing is gone. It renews its advertisement every third of that. */
export const NODE_TTL = 15

export interface ConsumerDeclaration {
  readonly stream: string
  readonly durable: string
  readonly filter: string
  /** Seconds a message may stay unacknowledged without a `working()`. */
  readonly ackWait: number
}

export const requestsConsumer: ConsumerDeclaration = {
  stream: EXPORTS,
  durable: "scheduler-requests",
  filter: "exports.requested",
  ackWait: 30
}
export const resultsConsumer: ConsumerDeclaration = {
  stream: RESULTS,
  durable: "scheduler-results",
  filter: "results.>",
  ackWait: 30
}

/** Seconds: an encoder that is silent this long loses its task to another. It says `working()` every quarter of it. */
export const TASK_ACK_WAIT = 12
export const poolConsumer = (pool: PoolName, ackWait: number = TASK_ACK_WAIT): ConsumerDeclaration => ({
  stream: TASKS,
  durable: `pool-${pool}`,
  filter: `tasks.${pool}.>`,
  ackWait
})

export type Role = "scheduler" | "api" | "encoder" | "notifier"
export const ROLES: ReadonlyArray<Role> = ["scheduler", "api", "encoder", "notifier"]
export const inboxPrefix = (role: Role): string => `_INBOX_${role}`

export interface Permissions {
  readonly publish: ReadonlyArray<string>
  readonly subscribe: ReadonlyArray<string>
}

/** What reading a stream through ordered pull consumers (named, without acks) takes. */
const readsStream = (stream: string) => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.CONSUMER.CREATE.${stream}.>`,
  `$JS.API.CONSUMER.DELETE.${stream}.>`,
  `$JS.API.CONSUMER.INFO.${stream}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`
]

export const permissionsOf = (role: Role): Permissions => {
  const inbox = `${inboxPrefix(role)}.>`
  switch (role) {
    case "scheduler":
      return { publish: [">"], subscribe: [">"] }
    case "api":
      return {
        publish: ["exports.requested", "exports.control", ...readsStream(PROGRESS), ...readsStream(NODES_STREAM)],
        subscribe: [inbox]
      }
    case "notifier":
      return {
        publish: [...readsStream(EVENTS), ...readsStream(PROGRESS), ...readsStream(NODES_STREAM)],
        subscribe: [inbox]
      }
    case "encoder":
      return {
        publish: [
          "results.>",
          "progress.*.*",
          "$KV.nodes.*",
          `$JS.API.CONSUMER.INFO.${TASKS}.>`,
          `$JS.API.CONSUMER.MSG.NEXT.${TASKS}.>`,
          `$JS.ACK.${TASKS}.>`
        ],
        subscribe: [inbox, "exports.control"]
      }
  }
}

export const nodeSubject = (id: NodeId): string => `$KV.${NODES_BUCKET}.${id}`
