import { Deferred, Effect, Latch, type Stream, SubscriptionRef } from "effect"
import * as Slots from "./Slots.ts"

/** What a running task holds of its lane. */
export interface Ticket {
  held: number
}

/** One lane's slots, with doors to wait at. Everything that decides is synchronous: no claim comes in between. */
export interface Lane {
  readonly slots: Effect.Effect<Slots.Slots>
  readonly changes: Stream.Stream<Slots.Slots>
  /** Waits until a slot is free and the lane is open. */
  readonly free: Effect.Effect<void>
  /** Waits until it is not. */
  readonly full: Effect.Effect<void>
  /** A slot for a claimed task; null when there is none. */
  readonly take: Effect.Effect<Ticket | null>
  /** Makes the one slot into `weight`, waiting for them; false when another task already waits. */
  grow(ticket: Ticket, weight: number): Effect.Effect<boolean>
  release(ticket: Ticket): Effect.Effect<void>
  resize(total: number): Effect.Effect<void>
  /** A closed lane takes nothing new. */
  setOpen(open: boolean): Effect.Effect<void>
}

export const makeLane = Effect.fnUntraced(function* (total: number) {
  const state = yield* SubscriptionRef.make(Slots.slots(total))
  const freeDoor = Latch.makeUnsafe(true)
  const fullDoor = Latch.makeUnsafe(false)
  let open = true
  let waiting: { readonly ticket: Ticket; readonly extra: number; readonly door: Deferred.Deferred<void> } | null = null

  const doors = Effect.sync(() => {
    const free = open && Slots.isFree(SubscriptionRef.getUnsafe(state))
    if (free) fullDoor.closeUnsafe()
    else freeDoor.closeUnsafe()
    if (free) freeDoor.openUnsafe()
    else fullDoor.openUnsafe()
  })
  const change = <A>(f: (s: Slots.Slots) => readonly [A, Slots.Slots]) =>
    Effect.uninterruptible(SubscriptionRef.modify(state, f).pipe(Effect.tap(doors)))
  /** The waiting task gets its slots as soon as they are there, whatever its fiber is doing. */
  const grant = change((s) => {
    const { granted, slots } = Slots.grant(s)
    if (granted && waiting !== null) {
      waiting.ticket.held += waiting.extra
      Deferred.doneUnsafe(waiting.door, Effect.void)
      waiting = null
    }
    return [undefined, slots]
  })

  const grow = Effect.fnUntraced(function* (ticket: Ticket, weight: number) {
    const door = Deferred.makeUnsafe<void>()
    const answer = yield* change((s) => {
      const extra = Slots.extraFor(s, weight)
      const { answer, slots } = Slots.grow(s, extra)
      if (answer === "has") ticket.held += extra
      if (answer === "waits") waiting = { ticket, extra, door }
      return [answer, slots]
    })
    if (answer !== "waits") return answer === "has"
    yield* Deferred.await(door).pipe(
      Effect.onInterrupt(() =>
        change((s) => {
          if (waiting?.ticket !== ticket) return [undefined, s]
          waiting = null
          return [undefined, Slots.giveUp(s)]
        })
      )
    )
    return true
  })

  const lane: Lane = {
    slots: SubscriptionRef.get(state),
    changes: SubscriptionRef.changes(state),
    free: freeDoor.await,
    full: fullDoor.await,
    take: change((s) => {
      const next = open ? Slots.take(s) : null
      return [next === null ? null : { held: 1 }, next ?? s]
    }),
    grow,
    release: (ticket) =>
      change((s) => {
        const { held } = ticket
        ticket.held = 0
        return [undefined, Slots.release(s, held)]
      }).pipe(Effect.andThen(grant)),
    resize: (total) =>
      change((s) => [undefined, s.total === Math.max(1, total) ? s : Slots.resize(s, total)]).pipe(
        Effect.andThen(grant)
      ),
    setOpen: (value) => Effect.sync(() => void (open = value)).pipe(Effect.andThen(doors))
  }
  return lane
})
