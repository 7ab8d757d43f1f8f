import type { UserId } from "@reelay/contracts/Ids"
import { Config, Context, Effect, Layer, Schema } from "effect"

/** Tabs, windows and programs of one person; or of a service that speaks for many, which then needs fewer. */
const USUAL = 100

/** How many WebSockets each user has here, of a most. Pure. */
export class Seats {
  readonly #taken = new Map<UserId, number>()
  readonly most: number
  constructor(most: number) {
    this.most = most
  }

  /** False: all of that user's are taken. */
  take(user: UserId): boolean {
    const taken = this.#taken.get(user) ?? 0
    if (taken >= this.most) return false
    this.#taken.set(user, taken + 1)
    return true
  }

  leave(user: UserId): void {
    const left = (this.#taken.get(user) ?? 0) - 1
    if (left > 0) this.#taken.set(user, left)
    else this.#taken.delete(user)
  }

  get taken(): number {
    return [...this.#taken.values()].reduce((sum, taken) => sum + taken, 0)
  }
}

/** Those of this notifier (`REELAY_SOCKETS_PER_USER`). */
export class SocketSeats extends Context.Service<SocketSeats, Seats>()("@reelay/notifier/SocketSeats") {
  static readonly layer = Layer.effect(
    SocketSeats,
    Effect.gen(function* () {
      const most = yield* Config.schema(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)),
        "REELAY_SOCKETS_PER_USER"
      ).pipe(Config.withDefault(USUAL))
      return new Seats(most)
    })
  )
}
