import type { ExportSort } from "@reelay/contracts/api/Exports"
import type { ExportStatus, ExportType } from "@reelay/contracts/Export"
import type { ProjectId, UserId, VideoId } from "@reelay/contracts/Ids"
import type { ExportRow } from "@reelay/platform/Rows"
import { exports_ } from "@reelay/platform/Tables"
import { and, asc, desc, eq, gt, lt, or, sql } from "drizzle-orm"
import type { SQL } from "drizzle-orm"
import type { Cursor } from "./Cursor.ts"

export interface ExportFilter {
  readonly status?: ExportStatus | undefined
  readonly type?: ExportType | undefined
  readonly projectId?: ProjectId | undefined
  readonly videoId?: VideoId | undefined
}

export const matching = (owner: UserId, filter: ExportFilter): SQL | undefined =>
  and(
    eq(exports_.userId, owner),
    filter.status === undefined ? undefined : eq(exports_.status, filter.status),
    filter.type === undefined ? undefined : eq(exports_.type, filter.type),
    filter.projectId === undefined ? undefined : eq(exports_.projectId, filter.projectId),
    filter.videoId === undefined ? undefined : eq(exports_.videoId, filter.videoId)
  )

interface Order {
  readonly by: ReadonlyArray<SQL>
  /** Rows after the cursor in this order. */
  readonly after: (cursor: Cursor) => SQL | undefined
  readonly keyOf: (row: ExportRow) => number | string
}

const byId: Pick<Order, "keyOf"> = { keyOf: () => "" }
const isStatus = (key: number | string): key is ExportStatus =>
  key === "pending" || key === "processing" || key === "completed" || key === "failed" || key === "cancelled"

/** Ids are made in time's order, so they are what `createdAt` sorts by, and they break every tie. */
export const ORDERS: Record<ExportSort, Order> = {
  createdAt: { ...byId, by: [asc(exports_.id)], after: ({ id }) => gt(exports_.id, id) },
  "-createdAt": { ...byId, by: [desc(exports_.id)], after: ({ id }) => lt(exports_.id, id) },
  bytes: {
    by: [asc(exports_.bytes), asc(exports_.id)],
    after: ({ id, key }) =>
      or(gt(exports_.bytes, Number(key)), and(eq(exports_.bytes, Number(key)), gt(exports_.id, id))),
    keyOf: (row) => row.bytes
  },
  "-bytes": {
    by: [desc(exports_.bytes), desc(exports_.id)],
    after: ({ id, key }) =>
      or(lt(exports_.bytes, Number(key)), and(eq(exports_.bytes, Number(key)), lt(exports_.id, id))),
    keyOf: (row) => row.bytes
  },
  status: {
    by: [asc(exports_.status), desc(exports_.id)],
    after: ({ id, key }) =>
      isStatus(key) ? or(gt(exports_.status, key), and(eq(exports_.status, key), lt(exports_.id, id))) : sql`false`,
    keyOf: (row) => row.status
  }
}
