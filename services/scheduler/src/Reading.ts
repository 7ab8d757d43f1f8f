import type { ExportId } from "@reelay/contracts/Ids"
import { count, newJob, queue } from "./Admission.ts"
import { announce, forget, stopTasks } from "./Endings.ts"
import type { Event, Row } from "./Events.ts"
import { reportEnd } from "./Reports.ts"
import { load } from "./Runs.ts"
import type { Job } from "./State.ts"
import { check } from "./Tasks.ts"
import { allTasksOf, emit } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

type Of<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>

const inspect = (turn: Turn, id: ExportId): void => emit(turn, { _tag: "Inspect", id })

/** While a write of ours is under way, what is read may be from before or after it: its outcome comes first. */
const isWriting = (job: Job): boolean => job.phase === "starting" || job.phase === "ending"

/** Whatever differs between what is known and a look at all active rows is looked at closely. */
export const surveyed = (turn: Turn, event: Of<"Surveyed">): void => {
  const seen = new Set<ExportId>()
  for (const row of event.rows) {
    seen.add(row.id)
    const job = turn.state.jobs.get(row.id)
    if (job === undefined) inspect(turn, row.id)
    else if (job.changed <= event.asOf && !isWriting(job) && (row.status !== job.status || row.epoch !== job.epoch)) {
      inspect(turn, row.id)
    }
  }
  for (const job of turn.state.jobs.values()) {
    if (!seen.has(job.id) && job.changed <= event.asOf && !isWriting(job)) inspect(turn, job.id)
  }
}

export const rowsRead = (turn: Turn, event: Of<"Rows">): void => {
  for (const row of event.rows) rowRead(turn, row, event.asOf)
  for (const id of event.missing) rowMissing(turn, id, event.asOf)
  for (const [id, sequence] of turn.state.forgotten) {
    // Reads come in order: whatever comes next was made later than this one. The map is in order, too.
    if (sequence > event.asOf) break
    turn.state.forgotten.delete(id)
  }
}

const rowRead = (turn: Turn, row: Row, asOf: number): void => {
  const job = turn.state.jobs.get(row.id)
  if (job === undefined) {
    // Read before we let go of it: it says what was, not what is.
    return (turn.state.forgotten.get(row.id) ?? 0) > asOf ? inspect(turn, row.id) : unknownRow(turn, row)
  }
  if (row.status === job.status && row.epoch === job.epoch) return void settleDoubt(turn, row)
  if (isWriting(job)) {
    job.doubtful = true
    return
  }
  if (job.changed > asOf) return inspect(turn, row.id)
  const { epoch } = job
  const ran = job.status === "processing"
  settleDoubt(turn, row)
  // It moved without us: by the api, by another leader, or by a write of ours whose answer was lost.
  job.epoch = row.epoch
  if (row.status !== "pending" && row.status !== "processing") {
    reportEnd(turn, job, row.status)
    announce(turn, job, row.epoch, row.status)
  }
  forget(turn, job)
  if (ran && row.status !== "processing") stopTasks(turn, job.id, Math.max(epoch, row.epoch))
  if (row.status === "pending" || row.status === "processing") unknownRow(turn, row)
}

/** Whether outputs linked under an epoch are, or may still become, this row's. */
const mayHold = (row: Row, epoch: number): boolean =>
  row.epoch === epoch && (row.status === "completed" || row.status === "processing")

const settleDoubt = (turn: Turn, row: Row): boolean => {
  const linked = turn.state.unsure.get(row.id)
  if (linked === undefined) return false
  turn.state.unsure.delete(row.id)
  if (!mayHold(row, linked.epoch)) {
    emit(turn, { _tag: "Unlink", id: row.id, user: row.user, epoch: linked.epoch })
  }
  return true
}

const unknownRow = (turn: Turn, row: Row): void => {
  const { state } = turn
  const doubted = settleDoubt(turn, row)
  const stray = state.strays.delete(row.id)
  switch (row.status) {
    case "pending": {
      const job = newJob(turn, row, "pending")
      queue(turn, job)
      announce(turn, job, row.epoch, "pending")
      break
    }
    case "processing": {
      const job = newJob(turn, row, "processing")
      count(turn, job)
      load(turn, job)
      break
    }
    default:
      // One that was cancelled before it was ever seen, too.
      if (row.status === "cancelled" || doubted) announce(turn, row, row.epoch, row.status)
      if (stray) stopTasks(turn, row.id, row.epoch)
  }
}

const rowMissing = (turn: Turn, id: ExportId, asOf: number): void => {
  const { state } = turn
  const job = state.jobs.get(id)
  if (job !== undefined && (job.changed > asOf || isWriting(job))) return
  const linked = state.unsure.get(id)
  if (linked !== undefined) emit(turn, { _tag: "Unlink", id, user: linked.user, epoch: linked.epoch })
  state.unsure.delete(id)
  const stray = state.strays.delete(id)
  if (job !== undefined) forget(turn, job)
  if (stray || job?.status === "processing") stopTasks(turn, id, job?.epoch ?? 0)
}

/** What the streams hold against what is taken to be outstanding. */
export const lookedAround = (turn: Turn, event: Of<"Outstanding">): void => {
  const { state } = turn
  for (const [key, entry] of state.outstanding) {
    if (entry.dispatchedAt > event.asOf || event.tasks.has(key) || event.results.has(key)) continue
    check(turn, entry)
  }
  const purged = new Set<ExportId>()
  for (const task of event.tasks.values()) {
    const job = state.jobs.get(task.id)
    if (job === undefined) {
      if (!state.strays.has(task.id)) inspect(turn, task.id)
      state.strays.add(task.id)
    } else if (job.changed <= event.asOf && job.phase !== "loading") {
      if (job.run === null) {
        if (!purged.has(job.id)) emit(turn, { _tag: "Purge", id: job.id, subject: allTasksOf(job.id) })
        purged.add(job.id)
      } else if (job.run.tasks.get(task.task)?.task.pool !== task.pool)
        emit(turn, { _tag: "Purge", id: job.id, subject: task.subject })
    }
  }
}
