import { admit } from "./Admission.ts"
import type { Command, Event } from "./Events.ts"
import { lookedAround, rowsRead, surveyed } from "./Reading.ts"
import { progressed } from "./Reports.ts"
import {
  ended,
  linked,
  linkFailed,
  loaded,
  loadFailed,
  looked,
  planFailed,
  planned,
  refused,
  resulted,
  started
} from "./Runs.ts"
import type { State } from "./State.ts"
import { dispatchReady } from "./Tasks.ts"
import { nodeLeft, nodeSeen, reconnected, ticked } from "./Ticking.ts"
import { emit } from "./Turn.ts"
import type { Turn } from "./Turn.ts"

/**
 * The scheduler's behaviour: what happened → what is known now, and what is to be done. No clock, no chance, no I/O;
 * `now` is monotonic milliseconds. The state is handed over: it is changed in place, and only the returned one may be
 * used afterwards. The same events at the same times give the same commands.
 */
export const decide = (state: State, event: Event, now: number): readonly [State, ReadonlyArray<Command>] => {
  const turn: Turn = { state, now, commands: [] }
  state.sequence++
  react(turn, event)
  dispatchReady(turn)
  admit(turn)
  return [state, turn.commands]
}

const react = (turn: Turn, event: Event): void => {
  switch (event._tag) {
    case "Rang":
      return emit(turn, { _tag: "Inspect", id: event.id })
    case "Surveyed":
      return surveyed(turn, event)
    case "Rows":
      return rowsRead(turn, event)
    case "Planned":
      return planned(turn, event)
    case "PlanFailed":
      return planFailed(turn, event)
    case "Started":
      return started(turn, event)
    case "Loaded":
      return loaded(turn, event)
    case "LoadFailed":
      return loadFailed(turn, event)
    case "Outstanding":
      return lookedAround(turn, event)
    case "Looked":
      return looked(turn, event)
    case "Result":
      return resulted(turn, event)
    case "Linked":
      return linked(turn, event)
    case "LinkFailed":
      return linkFailed(turn, event)
    case "Ended":
      return ended(turn, event)
    case "Refused":
      return refused(turn, event)
    case "Progressed":
      return progressed(turn, event.progress)
    case "NodeSeen":
      return nodeSeen(turn, event.advertisement)
    case "NodeLeft":
      return nodeLeft(turn, event.id)
    case "Reconnected":
      return reconnected(turn)
    case "Paused":
      return paused(turn, event.paused)
    case "Floors":
      for (const [id, progress] of event.floors) turn.state.floors.set(id, progress)
      return
    case "Tick":
      return ticked(turn)
  }
}

const paused = (turn: Turn, value: boolean): void => {
  const { state } = turn
  if (state.paused === value) return
  state.paused = value
  state.queueChanged = true
  if (value) return
  state.admissible = true
  for (const group of state.groups) state.ready.add(group)
}
