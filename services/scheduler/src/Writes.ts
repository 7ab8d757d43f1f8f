import type { ExportId } from "@reelay/contracts/Ids"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { Effect, Exit, Schedule } from "effect"
import type { Command, Event } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines, Work } from "./Lines.ts"
import type { Post } from "./Post.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>
type Transition = Of<"Start"> | Of<"Complete"> | Of<"Fail">

/** Rows in one statement: a plan may be a hundred kilobytes. */
const MOST = 100

/** While Postgres is away: again and again, less and less often, for as long as this term lasts. */
const patiently = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("3 seconds")])
/** It is there, but gave a statement up: a deadlock, want of memory, its own time-out. Not for ever: others wait. */
const aWhile = patiently.pipe(Schedule.upTo({ times: 10 }))

/** Of several rows one may be what is too much; alone, it gets a few more tries. */
const persistently = <A>(write: Effect.Effect<A, DatabaseError>, rows: number): Effect.Effect<A, DatabaseError> => {
  const whileAway = write.pipe(Effect.retry({ while: (error) => error.isAway, schedule: patiently }))
  if (rows > 1) return whileAway
  return whileAway.pipe(Effect.retry({ while: (error) => error.reason === "unavailable", schedule: aWhile }))
}

/** The event that follows: ours or not ours to make, or refused for good. */
const eventOf = ({ _tag, id, token }: Transition, outcome: Exit.Exit<boolean, DatabaseError>): Event => {
  if (Exit.isFailure(outcome)) {
    return { _tag: "Refused", id, token, reason: "The result could not be recorded." }
  }
  const won = outcome.value
  if (_tag === "Start") return { _tag: "Started", id, token, won }
  return { _tag: "Ended", id, token, won, status: _tag === "Complete" ? "completed" : "failed" }
}

/**
 * The scheduler's three kinds of writes. Each waits just long enough to share a statement with others of its kind, and
 * posts the event that follows.
 */
export const makeWrites = Effect.fnUntraced(function* (lines: Lines, post: Post) {
  const ledger = yield* Ledger
  /** One statement for all; when Postgres refuses that, one for each, so that a single bad row spoils nobody else's. */
  const together = <A extends Transition>(
    write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlySet<ExportId>, DatabaseError>
  ) =>
    lines.batch({
      most: MOST,
      run: (items: ReadonlyArray<A>) =>
        persistently(write(items), items.length).pipe(
          Effect.map((won) => items.map(({ id }) => Exit.succeed(won.has(id))))
        ),
      isForAll: () => false
    })
  const start = together<Of<"Start">>(ledger.start)
  const complete = together<Of<"Complete">>(ledger.complete)
  const fail = together<Of<"Fail">>(ledger.fail)

  return {
    write:
      (command: Transition): Work =>
      (done) => {
        const answer = (outcome: Exit.Exit<boolean, DatabaseError>) => {
          if (Exit.isFailure(outcome)) {
            lines.beside(
              Effect.logError("Postgres refuses a transition", outcome.cause).pipe(
                Effect.annotateLogs({ exportId: command.id, transition: command._tag })
              )
            )
          }
          post(eventOf(command, outcome))
          done()
        }
        if (command._tag === "Start") start(command, answer)
        else if (command._tag === "Complete") complete(command, answer)
        else fail(command, answer)
      },
    recordAttempt: (command: Of<"RecordAttempt">) =>
      persistently(ledger.recordAttempt(command), 1).pipe(
        // The export was deleted meanwhile, or is none of ours.
        Effect.catch((error) => Effect.logWarning("an attempt is not recorded", error))
      )
  }
})
