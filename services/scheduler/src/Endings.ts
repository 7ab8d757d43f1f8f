import type { ExportError, ExportStatus } from "@reelay/contracts/Export"
import type { Manifest } from "@reelay/contracts/Plan"
import { dequeue, elsewhere, leave, plan } from "./Admission.ts"
import { exportError } from "./Failures.ts"
import type { Candidate, Job } from "./State.ts"
import { closeRun } from "./Tasks.ts"
import { allTasksOf, emit, enter } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

/** Takes a job out of everything. What it was doing is settled by the caller. */
export const forget = (turn: Turn, job: Job): void => {
  closeRun(turn, job)
  leave(turn, job)
  turn.state.stirred.delete(job)
  turn.state.jobs.delete(job.id)
  turn.state.forgotten.delete(job.id)
  turn.state.forgotten.set(job.id, turn.state.sequence)
}

/** Queued tasks go, running ones stop, and are told so until they have. */
export const stopTasks = (turn: Turn, id: Job["id"], epoch: number): void => {
  turn.state.settling.set(id, { epoch, since: turn.now })
  emit(turn, { _tag: "Purge", id, subject: allTasksOf(id) })
  emit(turn, { _tag: "Stop", id, epoch })
}

export const announce = (turn: Turn, job: Pick<Job, "id" | "user">, epoch: number, status: ExportStatus): void =>
  emit(turn, { _tag: "Announce", id: job.id, user: job.user, epoch, status })

/** All tasks are done: the outputs are put in place before anyone hears of them. */
export const link = (turn: Turn, job: Job, manifest: Manifest): void => {
  const token = enter(turn, job, "linking")
  turn.state.stirred.add(job)
  emit(turn, { _tag: "Link", id: job.id, user: job.user, token, epoch: job.epoch, manifest })
}

export const fail = (turn: Turn, job: Job, error: ExportError): void => {
  closeRun(turn, job)
  if (job.status === "processing") stopTasks(turn, job.id, job.epoch)
  dequeue(turn, job)
  const token = enter(turn, job, "ending")
  emit(turn, { _tag: "Fail", id: job.id, user: job.user, token, from: job.status, epoch: job.epoch, error })
}

/** The whole export once more from its spec, as the next epoch, somewhere else. */
export const replan = (turn: Turn, job: Job, candidate: Candidate): void => {
  closeRun(turn, job)
  if (job.status === "processing") stopTasks(turn, job.id, job.epoch)
  plan(turn, job, candidate)
}

/** The same where nobody knows where: on the best pool there is, or it waits until there is one. */
export const planAnew = (turn: Turn, job: Job): void => {
  const candidate = elsewhere(job)
  if (candidate !== undefined) return replan(turn, job, candidate)
  if (job.lane.candidates.length > 0) {
    return fail(turn, job, exportError("encoder_unavailable", "Every kind of encoder failed with it."))
  }
  closeRun(turn, job)
  if (job.phase !== "planning") job.obstacleSince = turn.now
  turn.state.timers.add({ due: turn.now + 1000, fire: { _tag: "job", job, token: enter(turn, job, "planning") } })
}

/** Whether our last write holds is not known: the row will tell. `epoch`: what may have been linked in vain. */
export const doubt = (turn: Turn, job: Job, epoch: number): void => {
  forget(turn, job)
  turn.state.unsure.set(job.id, { user: job.user, epoch })
  emit(turn, { _tag: "Inspect", id: job.id })
}
