import { Schema } from "effect"
import { Family, VideoCodec } from "./Export.ts"
import { ExportId, NodeId, TaskKey } from "./Ids.ts"
import { Build, PoolName } from "./Plan.ts"
import { Count, Instant } from "./Quantity.ts"

export const FamilyState = Schema.Struct({
  name: Family,
  codecs: Schema.Array(VideoCodec),
  device: Schema.NullOr(Schema.String),
  state: Schema.Literals(["ok", "broken"]),
  reason: Schema.NullOr(Schema.String)
})
export type FamilyState = typeof FamilyState.Type

export const Slots = Schema.Struct({ total: Count, busy: Count })

export const RunningTask = Schema.Struct({ exportId: ExportId, task: TaskKey, epoch: Count, pool: PoolName })

/** What a node says of itself, in KV `nodes` under its id, renewed as heartbeat. */
export const Advertisement = Schema.Struct({
  v: Schema.Literal(1),
  id: NodeId,
  host: Schema.String,
  version: Schema.String,
  build: Build,
  status: Schema.Literals(["active", "draining", "paused"]),
  families: Schema.Array(FamilyState),
  /** Pools it claims from. */
  pools: Schema.Array(PoolName),
  slots: Slots,
  /** Slots for light tasks: sound, mux, ZIP. */
  lightSlots: Slots,
  tasks: Schema.Array(RunningTask),
  labels: Schema.Array(Schema.String),
  startedAt: Instant
})
export type Advertisement = typeof Advertisement.Type

/** A node as clients see it. */
export class Node extends Schema.Class<Node>("Node")({
  id: NodeId,
  host: Schema.String,
  status: Schema.Literals(["active", "draining", "paused", "gone"]),
  families: Schema.Array(FamilyState),
  slots: Slots,
  tasks: Schema.Array(RunningTask),
  version: Schema.String,
  lastSeen: Instant
}) {}
