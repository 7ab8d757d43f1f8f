import type { UserId } from "@reelay/contracts/Ids"
import { Conflict, NotFound } from "@reelay/contracts/Problem"
import type { Transaction } from "@reelay/platform/Database"
import { exports_ } from "@reelay/platform/Tables"
import { and, eq, inArray, sql } from "drizzle-orm"
import { Effect } from "effect"

/** What became of the wish to delete footage or an image: a clip or an export may hold it. */
export type Verdict = "missing" | "clip" | "export" | "removed"

/** Whether an export that is not over has one of these in its frozen spec. */
export const isExportNeeding = async (
  tx: Transaction,
  owner: UserId,
  named: { readonly videoId: string } | { readonly imageId: string }
): Promise<boolean> => {
  const list = "videoId" in named ? sql`${exports_.spec} -> 'sources'` : sql`${exports_.spec} -> 'images'`
  const [needed] = await tx
    .select({ id: exports_.id })
    .from(exports_)
    .where(
      and(
        inArray(exports_.status, ["pending", "processing"]),
        eq(exports_.userId, owner),
        sql`${list} @> ${JSON.stringify([named])}::jsonb`
      )
    )
    .limit(1)
  return needed !== undefined
}

/** The verdict as its owner hears it. `what`: "video" or "image". */
export const orProblem = (what: string, verdict: Verdict): Effect.Effect<void, NotFound | Conflict> => {
  switch (verdict) {
    case "missing":
      return Effect.fail(new NotFound({ detail: `There is no such ${what}.` }))
    case "clip":
      return Effect.fail(new Conflict({ detail: `A clip uses this ${what}.` }))
    case "export":
      return Effect.fail(new Conflict({ detail: `An export that is not over needs this ${what}.` }))
    case "removed":
      return Effect.void
  }
}
