import { type Export, type ExportStatus, isTerminal, type Progress, type Stage } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { DateTime } from "effect"
import type { Action, Entry, LiveState } from "./LiveState.ts"

/** One export as the page shows it: truth and, where an action is under way, its expected outcome. */
export interface ExportView {
  readonly row: Export
  readonly epoch: number
  readonly status: ExportStatus
  /** 0…100, never falling within an epoch. */
  readonly percent: number
  readonly stage: Stage
  readonly speed: number | null
  readonly etaSeconds: number | null
  /** What it waits for; null: nobody has said, or it does not wait. */
  readonly waiting: string | null
  /** Being asked of the server right now. */
  readonly action: Action | null
}

const expected = (status: ExportStatus, action: Action | null): ExportStatus => {
  if (action === "cancel" && !isTerminal(status)) return "cancelled"
  if (action === "retry" && (status === "failed" || status === "cancelled")) return "pending"
  return status
}

const stageOf = (status: ExportStatus, running: Progress | null): Stage => {
  if (status === "pending") return "queued"
  if (status !== "processing") return "done"
  if (running === null || running.stage === "queued") return "preparing"
  return running.stage === "done" ? "finishing" : running.stage
}

export const viewOf = (entry: Entry): ExportView | null => {
  const row = entry.row
  if (row === null) return null
  // Progress of a later epoch says that the row was moved on, even when the row's own news is still under way.
  const ahead = entry.progress !== null && entry.progress.epoch > row.epoch && entry.progress.status === "processing"
  const real: ExportStatus = ahead ? "processing" : row.status
  const epoch = ahead && entry.progress !== null ? entry.progress.epoch : row.epoch
  const status = expected(real, entry.action)
  const running = status === "processing" && entry.progress?.epoch === epoch ? entry.progress : null
  return {
    row,
    epoch,
    status,
    percent: status === "completed" ? 100 : (running?.percent ?? 0),
    stage: stageOf(status, running),
    speed: running?.speed ?? null,
    etaSeconds: running?.etaSeconds ?? null,
    waiting: status === "pending" && real === "pending" ? entry.waiting : null,
    action: entry.action
  }
}

/** Ids to show, newest first; what is being deleted is already out of sight. */
export const shownIds = (state: LiveState): ReadonlyArray<ExportId> =>
  [...state.entries]
    .flatMap(([id, entry]) =>
      entry.row === null || (entry.action === "delete" && isTerminal(entry.row.status))
        ? []
        : [{ id, at: DateTime.toEpochMillis(entry.row.createdAt) }]
    )
    .toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    .map((shown) => shown.id)
