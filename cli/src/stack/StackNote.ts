import { Option, Schema } from "effect"
import { readLock, runs } from "../../launch/ProcessLock.mjs"
import type { Place } from "./Place.ts"

/** What the supervisor says of itself in its lock. */
const StackNote = Schema.Struct({
  pid: Schema.Int,
  start: Schema.String,
  /** Null until everything is started. */
  url: Schema.NullOr(Schema.String),
  /** Started by a command for its own use. */
  transient: Schema.Boolean,
  stopping: Schema.Boolean
})
export type StackNote = typeof StackNote.Type
export type NewNote = Omit<StackNote, "pid" | "start">

const decode = Schema.decodeUnknownOption(StackNote)

/** What stands in a lock, as a note; null when there is none. A holder that says nothing sensible still holds. */
export const noteOf = (lock: ReturnType<typeof readLock>): StackNote | null =>
  lock === null
    ? null
    : Option.getOrElse(decode(lock), () => ({
        pid: lock.pid,
        start: lock.start,
        url: null,
        transient: false,
        stopping: false
      }))

/** The supervisor that runs on this data folder right now. */
export const runningStack = (place: Place["Service"]): StackNote | null => {
  const note = noteOf(readLock(place.lock))
  return note !== null && runs(note) ? note : null
}
