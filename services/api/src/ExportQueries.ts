import type { ExportSort } from "@reelay/contracts/api/Exports"
import type { ExportStatus, ExportType } from "@reelay/contracts/Export"
import type { ProjectId, UserId, VideoId } from "@reelay/contracts/Ids"
import type { ExportRow } from "@reelay/platform/Rows"
import { exports_, exportStatus } from "@reelay/platform/Tables"
import { and, asc, desc, eq, sql } from "drizzle-orm"
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
  readonly keyOf: (row: ExportRow) => number | string
  /** Whether it can have been a row's. */
  readonly isKey: (key: number | string) => boolean
  /** Rows after the cursor in this order. */
  readonly after: (cursor: Cursor) => SQL | undefined
}

/** As Postgres says it in our sessions, `2026-11-20 05:59:00.123456+00`, and a day that exists. */
const isInstant = (key: number | string): boolean => {
  if (typeof key === "number" || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(key)) return false
  const second = key.slice(0, 19).replace(" ", "T")
  const at = new Date(`${second}Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(second)
}
const instant = {
  keyOf: (row: ExportRow) => row.createdAt,
  isKey: isInstant
}
const bytes = {
  keyOf: (row: ExportRow) => row.bytes,
  isKey: (key: number | string) => Number.isSafeInteger(key)
}
const isStatus = (key: number | string): boolean => exportStatus.enumValues.some((status) => status === key)

/** Ids are made in time's order, and break every tie. */
export const ORDERS: Record<ExportSort, Order> = {
  createdAt: {
    ...instant,
    by: [asc(exports_.createdAt), asc(exports_.id)],
    after: ({ id, key }) => sql`(${exports_.createdAt}, ${exports_.id}) > (${key}::timestamptz, ${id}::uuid)`
  },
  "-createdAt": {
    ...instant,
    by: [desc(exports_.createdAt), desc(exports_.id)],
    after: ({ id, key }) => sql`(${exports_.createdAt}, ${exports_.id}) < (${key}::timestamptz, ${id}::uuid)`
  },
  bytes: {
    ...bytes,
    by: [asc(exports_.bytes), asc(exports_.id)],
    after: ({ id, key }) => sql`(${exports_.bytes}, ${exports_.id}) > (${key}::bigint, ${id}::uuid)`
  },
  "-bytes": {
    ...bytes,
    by: [desc(exports_.bytes), desc(exports_.id)],
    after: ({ id, key }) => sql`(${exports_.bytes}, ${exports_.id}) < (${key}::bigint, ${id}::uuid)`
  },
  status: {
    keyOf: (row) => row.status,
    isKey: isStatus,
    by: [asc(exports_.status), desc(exports_.id)],
    after: ({ id, key }) =>
      sql`(${exports_.status} > ${key}::export_status
        or ${exports_.status} = ${key}::export_status and ${exports_.id} < ${id}::uuid)`
  }
}
