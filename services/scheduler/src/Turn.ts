import { taskMessage } from "@reelay/contracts/messages/Messages"
import type { Command } from "./Events.ts"
import type { Job, Phase, State } from "./State.ts"

/** One call of `decide`: the state, the time, and what came of it so far. */
export interface Turn {
  readonly state: State
  /** Monotonic milliseconds. */
  readonly now: number
  readonly commands: Array<Command>
}

export const emit = (turn: Turn, command: Command): void => {
  turn.commands.push(command)
}

/** Moves a job on; whatever was asked for before is late from now on. Returns the token for what is asked now. */
export const enter = (turn: Turn, job: Job, phase: Phase): number => {
  job.phase = phase
  job.token = ++turn.state.tokens
  job.changed = turn.state.sequence
  return job.token
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/**
 * A UUIDv7, unique for every dispatch of every leader that ever was: time, a count, the term's seed. It is also the id
 * of the attempt's row if it fails, so that one dispatch is never counted twice.
 */
export const nextDispatch = (turn: Turn): string => {
  const { state } = turn
  const count = state.dispatches++
  const time = hex(Math.max(0, Math.floor(turn.now + state.term.wallOffset)), 12)
  const low = hex(count % 0x1000, 3)
  const high = hex(Math.floor(count / 0x1000) % 0x10000000, 7)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${low}-8${high.slice(0, 3)}-${high.slice(3)}${state.term.seed}`
}

/** All queued tasks of an export, in whatever pool: what `taskMessage.subject` makes of it. */
export const allTasksOf = (id: Job["id"]): string => {
  const [stream] = taskMessage.filter.split(".")
  return `${stream}.*.${id}.*`
}
