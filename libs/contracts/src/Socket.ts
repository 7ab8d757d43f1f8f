import { Schema } from "effect"
import { Export, Progress } from "./Export.ts"
import { ExportId } from "./Ids.ts"

/** The WebSocket at `/ws`. Cursors are opaque; one that the server does not know gets a snapshot. */
export const ClientMessage = Schema.Union([
  Schema.Struct({ type: Schema.Literal("auth"), token: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("subscribe"),
    exports: Schema.Union([Schema.Literal("all"), Schema.Array(ExportId).check(Schema.isMaxLength(1000))]),
    since: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Finite])))
  })
])
export type ClientMessage = typeof ClientMessage.Type

export const Cursor = Schema.String

/** Why the server ends a connection, beyond what the protocol knows (4000…4999 are ours to give). */
export const CLOSE = {
  unauthorized: 4401,
  /** The client does not read. */
  slow: 4408,
  /** Its user has as many as one may have. */
  crowded: 4429
} as const

export const ServerMessage = Schema.Union([
  Schema.Struct({ type: Schema.Literal("snapshot"), exports: Schema.Array(Export), cursor: Cursor }),
  Schema.Struct({ type: Schema.Literal("state"), export: Export, cursor: Cursor }),
  /** An export that is no longer there. */
  Schema.Struct({ type: Schema.Literal("gone"), exportId: ExportId, cursor: Cursor }),
  Schema.Struct({ type: Schema.Literal("progress"), exportId: ExportId, progress: Progress }),
  Schema.Struct({ type: Schema.Literal("error"), code: Schema.String, detail: Schema.String }),
  Schema.Struct({ type: Schema.Literal("ping") })
])
export type ServerMessage = typeof ServerMessage.Type
