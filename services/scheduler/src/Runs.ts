import type { FailureKind, TaskResult } from "@reelay/contracts/messages/Messages"
import { AttemptId } from "@reelay/contracts/Ids"
import { isSmartCut, lightPool } from "@reelay/contracts/Plan"
import { Schema } from "effect"
import { elsewhere, expectNothing } from "./Admission.ts"
import { channelFor, isLight, seat } from "./Capacity.ts"
import { announce, doubt, fail, forget, link, planAnew, replan, stopTasks } from "./Endings.ts"
import type { Event, PastAttempt } from "./Events.ts"
import { backoff, errorOf, exportError, remedyFor, STORAGE_TRIES } from "./Failures.ts"
import type { Remedy } from "./Failures.ts"
import { reportEnd } from "./Reports.ts"
import type { Job, Phase, Run, TaskEntry } from "./State.ts"
import { encodersFor, look, makeReady, markDone, openRun, presume, rest } from "./Tasks.ts"
import { emit, enter, nextDispatch } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

type Of<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>

/** The job that an answer is for, unless it comes too late. */
const awaited = (turn: Turn, event: { readonly id: Job["id"]; readonly token: number }, phase: Phase): Job | null => {
  const job = turn.state.jobs.get(event.id)
  return job !== undefined && job.phase === phase && job.token === event.token ? job : null
}

const retryLater = (turn: Turn, job: Job, phase: Phase, millis: number): void =>
  turn.state.timers.add({ due: turn.now + millis, fire: { _tag: "job", job, token: enter(turn, job, phase) } })

export const planned = (turn: Turn, event: Of<"Planned">): void => {
  const job = awaited(turn, event, "planning")
  if (job === null) return
  job.tries = 0
  job.prepared = event
  const token = enter(turn, job, "starting")
  emit(turn, {
    _tag: "Start",
    id: job.id,
    user: job.user,
    token,
    from: job.status,
    epoch: job.epoch,
    plan: event.plan,
    stored: event.stored
  })
}

export const planFailed = (turn: Turn, event: Of<"PlanFailed">): void => {
  const job = awaited(turn, event, "planning")
  if (job === null) return
  job.tries++
  if (event.kind === "storage" && job.tries < STORAGE_TRIES) {
    return retryLater(turn, job, "planning", backoff(job.tries))
  }
  fail(turn, job, errorOf(event.kind, event.message))
}

export const started = (turn: Turn, event: Of<"Started">): void => {
  const job = awaited(turn, event, "starting")
  if (job === null || job.prepared === null) return
  const { prepared } = job
  job.prepared = null
  if (!event.won) return doubt(turn, job, job.epoch)
  if (job.status === "pending") job.startedAt = turn.now
  job.status = "processing"
  job.epoch++
  expectNothing(job)
  enter(turn, job, "running")
  const run = openRun(turn, job, prepared, false)
  announce(turn, job, job.epoch, "processing")
  if (job.doubtful) emit(turn, { _tag: "Inspect", id: job.id })
  job.doubtful = false
  if (run.final !== null) return link(turn, job, run.final)
  turn.state.stirred.add(job)
}

export const loaded = (turn: Turn, event: Of<"Loaded">): void => {
  const job = awaited(turn, event, "loading")
  if (job === null) return
  const { plan } = event
  job.startedAt = turn.now - event.runningSeconds * 1000
  job.tries = 0
  enter(turn, job, "running")
  const run = openRun(turn, job, event, true)
  const video = [...run.lineups.values()].find(({ channel }) => !isLight(channel.pool.name))?.channel
  if (video !== undefined) {
    const light = channelFor(turn.state, lightPool(plan.build), job.lane.labels, turn.now)
    job.candidate = { family: plan.family, build: plan.build, video, light }
    seat(video, job)
  }
  turn.state.stirred.add(job)
  emit(turn, { _tag: "LookAround" })
  if (run.final !== null) return link(turn, job, run.final)
  remember(turn, job, run, event.attempts)
}

/** What failed before this leader began counts as if it had been there, and what should have followed follows now. */
const remember = (turn: Turn, job: Job, run: Run, attempts: ReadonlyArray<PastAttempt>): void => {
  for (const attempt of attempts) {
    if (attempt.kind === "encoder" && attempt.family !== null) job.broken.add(attempt.family)
  }
  for (const attempt of attempts) {
    const entry = attempt.epoch === run.epoch ? run.tasks.get(attempt.task) : undefined
    if (entry === undefined || entry.state === "done") continue
    entry.failures++
    entry.counted.add(attempt.id)
    if (attempt.kind !== "storage") entry.excludes.add(attempt.nodeId)
    const remedy = remedyOf(turn, entry, attempt.kind)
    if (remedy._tag === "fail") return fail(turn, job, attempt.error)
    if (remedy._tag === "replan" || remedy._tag === "encodeAll") return planAnew(turn, job)
  }
}

export const loadFailed = (turn: Turn, event: Of<"LoadFailed">): void => {
  const job = awaited(turn, event, "loading")
  if (job === null) return
  if (event.unreadable) return planAnew(turn, job)
  job.tries++
  retryLater(turn, job, "loading", backoff(job.tries))
}

const remedyOf = (turn: Turn, entry: TaskEntry, kind: FailureKind): Remedy => {
  const { channel } = entry.lineup
  return remedyFor(kind, {
    failures: entry.failures,
    maxAttempts: turn.state.policy.taskAttempts,
    otherFamily: !channel.pool.light && elsewhere(entry.job) !== undefined,
    otherNodes: encodersFor(channel, entry.excludes).fresh.length,
    smartCut: entry.job.run !== null && isSmartCut(entry.job.run.plan, entry.task.work)
  })
}

export const resulted = (turn: Turn, { result }: Of<"Result">): void => {
  const job = turn.state.jobs.get(result.exportId)
  const entry = job?.run?.tasks.get(result.task)
  if (job === undefined || job.run === null || job.phase !== "running") return
  if (entry === undefined || entry.state === "done") return
  const current =
    result.epoch === job.run.epoch
    && entry.state === "dispatched"
    && (entry.dispatch === null || entry.dispatch === result.dispatch)
    && !entry.counted.has(result.dispatch)
  const { outcome } = result
  if (outcome._tag === "Done") {
    // Content settles: whoever made it, it is made. But only the store can say so of a stranger's word.
    if (!current || outcome.manifest.key !== entry.task.key) return look(turn, entry)
    if (markDone(turn, entry, outcome.manifest)) link(turn, job, outcome.manifest)
  } else if (!current) return
  else if (outcome._tag === "Cancelled") makeReady(turn, entry, true)
  else failed(turn, job, job.run, entry, result, outcome)
}

const isAttemptId = Schema.is(AttemptId)
/** One dispatch, one attempt. A dispatch that is none of ours can only be told of one that was taken over. */
const attemptIdOf = (turn: Turn, dispatch: string): AttemptId =>
  isAttemptId(dispatch) ? dispatch : AttemptId.make(nextDispatch(turn))

const failed = (
  turn: Turn,
  job: Job,
  run: Run,
  entry: TaskEntry,
  result: TaskResult,
  outcome: Extract<TaskResult["outcome"], { readonly _tag: "Failed" }>
): void => {
  const error = errorOf(outcome.kind, outcome.message)
  const light = entry.lineup.channel.pool.light
  entry.failures++
  entry.counted.add(result.dispatch)
  if (outcome.kind !== "storage") entry.excludes.add(result.nodeId)
  emit(turn, {
    _tag: "RecordAttempt",
    id: job.id,
    user: job.user,
    attempt: attemptIdOf(turn, result.dispatch),
    epoch: run.epoch,
    task: result.task,
    kind: outcome.kind,
    nodeId: result.nodeId,
    family: light ? null : run.plan.family,
    error,
    log: outcome.log,
    seconds: outcome.seconds
  })
  if (outcome.kind === "encoder" && !light) job.broken.add(run.plan.family)
  if (outcome.kind === "smartcut") job.noSmartCut = true
  const remedy = remedyOf(turn, entry, outcome.kind)
  if (remedy._tag === "fail") return fail(turn, job, error)
  if (remedy._tag === "again") {
    if (outcome.kind === "storage") lookAtNeeds(turn, run, entry)
    return remedy.afterMillis === 0 ? makeReady(turn, entry, true) : rest(turn, entry, remedy.afterMillis)
  }
  if (remedy._tag === "encodeAll") return planAnew(turn, job)
  const candidate = elsewhere(job)
  if (candidate !== undefined) replan(turn, job, candidate)
}

/** What a task could not read may have been made and be gone again: trying once more would not bring it back. */
const lookAtNeeds = (turn: Turn, run: Run, { task }: TaskEntry): void => {
  for (const key of task.needs) {
    const need = run.tasks.get(key)
    if (need?.state === "done") look(turn, need)
  }
}

export const looked = (turn: Turn, event: Of<"Looked">): void => {
  const job = turn.state.jobs.get(event.id)
  const entry = job?.run?.tasks.get(event.task)
  if (job === undefined || job.run?.epoch !== event.epoch || job.phase !== "running") return
  if (entry === undefined) return
  if (entry.state === "done") {
    // It was, and what it made is gone since: what else is gone, another look at all of it tells.
    if (event.manifest === null && !event.failed) planAnew(turn, job)
    return
  }
  if (event.manifest !== null) {
    if (markDone(turn, entry, event.manifest)) link(turn, job, event.manifest)
  } else if (entry.state === "checking") {
    // When the store did not answer, it is asked again when the streams are looked at next.
    if (event.failed) presume(turn, entry)
    else makeReady(turn, entry, true)
  }
}

export const linked = (turn: Turn, event: Of<"Linked">): void => {
  const job = awaited(turn, event, "linking")
  if (job === null) return linkedInVain(turn, event)
  job.tries = 0
  const token = enter(turn, job, "ending")
  emit(turn, { _tag: "Complete", id: job.id, user: job.user, token, epoch: job.epoch, outputs: event.outputs })
}

/** It was cancelled meanwhile, or planned anew: nobody will ever see these links. */
const linkedInVain = (turn: Turn, event: Of<"Linked"> | Of<"LinkFailed">): void => {
  const job = turn.state.jobs.get(event.id)
  if (job === undefined) {
    turn.state.unsure.set(event.id, event)
    emit(turn, { _tag: "Inspect", id: event.id })
  } else if (job.epoch > event.epoch || job.status === "pending") {
    emit(turn, { _tag: "Unlink", id: job.id, user: job.user, epoch: event.epoch })
  }
}

export const linkFailed = (turn: Turn, event: Of<"LinkFailed">): void => {
  const job = awaited(turn, event, "linking")
  if (job === null || job.run === null) return linkedInVain(turn, event)
  job.tries++
  if (job.tries >= STORAGE_TRIES) {
    emit(turn, { _tag: "Unlink", id: job.id, user: job.user, epoch: event.epoch })
    return fail(turn, job, exportError("storage_error", "The finished files could not be put in place."))
  }
  if (!event.vanished) return retryLater(turn, job, "linking", backoff(job.tries))
  planAnew(turn, job)
}

export const ended = (turn: Turn, event: Of<"Ended">): void => {
  const job = awaited(turn, event, "ending")
  if (job === null) return
  if (!event.won) {
    stopTasks(turn, job.id, job.epoch)
    return doubt(turn, job, job.epoch)
  }
  reportEnd(turn, job, event.status)
  announce(turn, job, job.epoch, event.status)
  if (job.run !== null && job.run.outstanding > 0) stopTasks(turn, job.id, job.epoch)
  turn.state.floors.delete(job.id)
  forget(turn, job)
}

/** Postgres will never take it as it is. Said as a failure, if it takes that. */
export const refused = (turn: Turn, event: Of<"Refused">): void => {
  const job = turn.state.jobs.get(event.id)
  if (job === undefined || job.token !== event.token) return
  if (job.phase === "starting" || (job.phase === "ending" && job.run !== null)) {
    return fail(turn, job, exportError("render_error", event.reason))
  }
  forget(turn, job)
  turn.state.jobs.set(job.id, job)
  enter(turn, job, "stuck")
}

/** The time for another try has come. */
export const retried = (turn: Turn, job: Job, token: number): void => {
  if (turn.state.jobs.get(job.id) !== job || job.token !== token) return
  if (job.phase === "linking" && job.run?.final !== null && job.run !== null) return link(turn, job, job.run.final)
  if (job.phase === "loading") return load(turn, job)
  if (job.phase === "planning") planAnew(turn, job)
}

export const load = (turn: Turn, job: Job): void =>
  emit(turn, { _tag: "Load", id: job.id, user: job.user, token: enter(turn, job, "loading") })
