import type { UserId } from "@reelay/contracts/Ids"
import { Unavailable } from "@reelay/contracts/Problem"
import { Config, Context, Deferred, Effect, Layer, Metric, Schema } from "effect"
import { availableParallelism } from "node:os"

export interface TurnLimits {
  /** Files read at once in this process. */
  readonly turns: number
  /** Of those, a single user's: one turn is always there for somebody else. */
  readonly turnsPerUser: number
  /** Intakes that may be open, from the first byte to the row: in this process, and of one user. */
  readonly open: number
  readonly openPerUser: number
}

/** A single user may have all cores at work, and the next one waits for none of it. */
const USUAL_TURNS = availableParallelism() + 1
const OPEN = 256
const OPEN_PER_USER = 32

export const limitsFor = (turns: number): TurnLimits => ({
  turns,
  turnsPerUser: Math.max(1, turns - 1),
  open: OPEN,
  openPerUser: OPEN_PER_USER
})

type Held = ReadonlyMap<UserId, number>

/** Whose turn is next: of the users who may have one more, whose files fewest are read of; of equals, who came first. */
export const nextOf = (waiting: ReadonlyArray<UserId>, reading: Held, limits: TurnLimits): number => {
  const all = [...reading.values()].reduce((sum, held) => sum + held, 0)
  if (all >= limits.turns) return -1
  let [best, fewest] = [-1, limits.turnsPerUser]
  waiting.forEach((user, at) => {
    const held = reading.get(user) ?? 0
    if (held < fewest) [best, fewest] = [at, held]
  })
  return best
}

class Counts {
  readonly held = new Map<UserId, number>()
  all = 0
  add(user: UserId, change: 1 | -1): void {
    this.all += change
    const left = (this.held.get(user) ?? 0) + change
    if (left === 0) this.held.delete(user)
    else this.held.set(user, left)
  }
}

const waitingNow = Metric.gauge("reelay_ingest_waiting", { description: "Files that wait to be read" })

/**
 * Reading a file takes memory (its frame index) and a core, so only so many are read at once. Who comes too many waits, and
 * is not refused: the bytes are in the store by then, sending them again would cost more than an open connection does, and a
 * client that waits for an upload waits anyway. Only where far too many are under way is a new one refused, before its body.
 */
export class IngestTurns extends Context.Service<
  IngestTurns,
  {
    /** An intake as a whole. Refused at once where too many are open. */
    admitted<A, E, R>(user: UserId, intake: Effect.Effect<A, E, R>): Effect.Effect<A, E | Unavailable, R>
    /** The part of it that holds memory: waits for its turn, fairly between users. */
    inTurn<A, E, R>(user: UserId, reading: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  }
>()("@reelay/api/IngestTurns") {
  static readonly make = (limits: TurnLimits): IngestTurns["Service"] => {
    const open = new Counts()
    const reading = new Counts()
    const waiting: Array<{ readonly user: UserId; readonly go: Deferred.Deferred<void> }> = []

    const serve = (): void => {
      while (true) {
        const at = nextOf(
          waiting.map(({ user }) => user),
          reading.held,
          limits
        )
        const next = waiting[at]
        if (next === undefined) return
        waiting.splice(at, 1)
        reading.add(next.user, 1)
        Deferred.doneUnsafe(next.go, Effect.void)
      }
    }
    return IngestTurns.of({
      admitted: (user, intake) =>
        Effect.acquireUseRelease(
          Effect.suspend(() => {
            if ((open.held.get(user) ?? 0) >= limits.openPerUser) return tooMany("Too many of your videos")
            if (open.all >= limits.open) return tooMany("Too many videos")
            return Effect.sync(() => open.add(user, 1))
          }),
          () => intake,
          () => Effect.sync(() => open.add(user, -1))
        ),
      inTurn: (user, work) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            const mine = { user, go: Deferred.makeUnsafe<void>() }
            waiting.push(mine)
            serve()
            return mine
          }),
          ({ go }) =>
            Effect.andThen(Metric.update(waitingNow, waiting.length), Effect.andThen(Deferred.await(go), work)),
          (mine) =>
            Effect.suspend(() => {
              const at = waiting.indexOf(mine)
              if (at === -1) {
                reading.add(user, -1)
                serve()
              } else waiting.splice(at, 1)
              return Metric.update(waitingNow, waiting.length)
            })
        )
    })
  }

  static readonly layer = Layer.effect(
    IngestTurns,
    Effect.map(
      Config.schema(
        Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)),
        "REELAY_INGEST_CONCURRENCY"
      ).pipe(Config.withDefault(USUAL_TURNS)),
      (turns) => IngestTurns.make(limitsFor(turns))
    )
  )
}

const tooMany = (what: string) =>
  Effect.fail(
    new Unavailable({
      detail: `${what} are being added at this moment: try again a little later.`,
      missing: ["ingest"]
    })
  )
