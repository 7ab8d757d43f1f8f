import { isTerminal } from "@reelay/contracts/Export"
import type { Export, Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import type { ServerMessage } from "@reelay/contracts/Socket"
import { DateTime } from "effect"

/** Milliseconds between two progress messages of one export: four a second. */
export const PROGRESS_INTERVAL = 250
/** Notes (errors, pings) that wait at most; beyond these a client that does not read gets none. */
const NOTES = 32
/** Times of last progress kept before those that no longer matter are dropped. */
const MANY = 1000

export type Next =
  | { readonly _tag: "Send"; readonly message: ServerMessage }
  /** Nothing before that many milliseconds have passed, unless something is offered. */
  | { readonly _tag: "Wait"; readonly millis: number }
  | { readonly _tag: "Idle" }

/**
 * What one client has yet to be told. Of each export only the latest state and the latest progress wait, so a client
 * that reads slowly is told less, never later and later, and what waits is bounded by how many exports it has. Cursors
 * leave in rising order: a superseded state leaves with, and at the place of, the one that superseded it. Pure: `now` is
 * milliseconds of any clock that only goes forward.
 */
export class Outbox {
  #notes: Array<ServerMessage> = []
  #first: Array<ServerMessage> = []
  readonly #states = new Map<ExportId, { readonly state: Export | null; readonly cursor: string }>()
  readonly #progress = new Map<ExportId, Progress>()
  readonly #progressAt = new Map<ExportId, number>()
  #holding = true

  /** A (new) subscription: nothing more goes out until its first messages are known. */
  hold(): void {
    this.#holding = true
    this.#first = []
    this.#states.clear()
    this.#progress.clear()
  }

  /** The first messages of the subscription; what was offered meanwhile follows, unless they already say more. */
  start(messages: ReadonlyArray<ServerMessage>): void {
    for (const message of messages) {
      const exports = message.type === "snapshot" ? message.exports : message.type === "state" ? [message.export] : []
      for (const told of exports) {
        const waiting = this.#states.get(told.id)?.state
        if (waiting !== undefined && waiting !== null && isOlder(waiting, told)) this.#states.delete(told.id)
      }
    }
    this.#first = [...messages]
    this.#holding = false
  }

  /** `state` null: the export is no longer there. */
  offerState(id: ExportId, state: Export | null, cursor: string): void {
    this.#states.delete(id)
    this.#states.set(id, { state, cursor })
    if (state === null || isTerminal(state.status)) {
      this.#progress.delete(id)
      this.#progressAt.delete(id)
    }
  }

  offerProgress(id: ExportId, progress: Progress): void {
    this.#progress.set(id, progress)
  }

  /** False: too many wait already. */
  offerNote(message: ServerMessage): boolean {
    if (this.#notes.length >= NOTES) return false
    this.#notes.push(message)
    return true
  }

  next(now: number): Next {
    const note = this.#notes.shift()
    if (note !== undefined) return { _tag: "Send", message: note }
    if (this.#holding) return { _tag: "Idle" }
    const first = this.#first.shift()
    if (first !== undefined) return { _tag: "Send", message: first }
    for (const [id, { cursor, state }] of this.#states) {
      this.#states.delete(id)
      return {
        _tag: "Send",
        message: state === null ? { type: "gone", exportId: id, cursor } : { type: "state", export: state, cursor }
      }
    }
    let soonest = Infinity
    for (const [id, progress] of this.#progress) {
      const due = this.#progressAt.get(id) ?? -Infinity
      if (due > now) {
        soonest = Math.min(soonest, due)
        continue
      }
      this.#progress.delete(id)
      if (isTerminal(progress.status)) this.#progressAt.delete(id)
      else this.#progressAt.set(id, now + PROGRESS_INTERVAL)
      if (this.#progressAt.size > MANY) {
        for (const [other, at] of this.#progressAt) if (at <= now) this.#progressAt.delete(other)
      }
      return { _tag: "Send", message: { type: "progress", exportId: id, progress } }
    }
    return soonest === Infinity ? { _tag: "Idle" } : { _tag: "Wait", millis: soonest - now }
  }

  get waiting(): number {
    return this.#notes.length + this.#first.length + this.#states.size + this.#progress.size
  }
}

/** By Postgres' clock: `a` was read before `b`. */
export const isOlder = (a: Export, b: Export): boolean =>
  DateTime.toEpochMillis(a.updatedAt) < DateTime.toEpochMillis(b.updatedAt)
