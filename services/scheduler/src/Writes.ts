import type { ExportId } from "@reelay/contracts/Ids"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { Effect, Exit, Schedule } from "effect"
import { makeBatch } from "./Batch.ts"
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
const passes = (error: DatabaseError): boolean => error.reason === "unavailable"

/** One statement for all; when Postgres refuses that, one for each, so that a single bad row spoils nobody else's. */
const together = <A extends { readonly id: ExportId }>(
  write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlySet<ExportId>, DatabaseError>
) => {
  const one = (item: A): Effect.Effect<Exit.Exit<boolean, DatabaseError>> =>
    write([item]).pipe(
      Effect.retry({ while: passes, schedule: patiently }),
      Effect.map((won) => won.has(item.id)),
      Effect.exit
    )
  return (items: ReadonlyArray<A>) =>
    write(items).pipe(
      Effect.retry({ while: passes, schedule: patiently }),
      Effect.map((won) => items.map((item) => Exit.succeed(won.has(item.id)))),
      Effect.catch((error) =>
        items.length === 1 ? Effect.succeed(items.map(() => Exit.fail(error))) : Effect.forEach(items, one)
      )
    )
}

/** The event that follows: ours or not ours to make, or refused for good. */
const eventOf = (command: Transition, won: Exit.Exit<boolean, DatabaseError>): Effect.Effect<Event> => {
  const { id, token } = command
  if (Exit.isFailure(won)) {
    return Effect.logError("Postgres refuses a transition", won.cause).pipe(
      Effect.annotateLogs({ exportId: id, transition: command._tag }),
      Effect.as<Event>({ _tag: "Refused", id, token, reason: "The result could not be recorded." })
    )
  }
  if (command._tag === "Start") return Effect.succeed({ _tag: "Started", id, token, won: won.value })
  const status = command._tag === "Complete" ? "completed" : "failed"
  return Effect.succeed({ _tag: "Ended", id, token, won: won.value, status })
}

const answered =
  <A extends Transition>(
    write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Exit.Exit<boolean, DatabaseError>>>
  ) =>
  (items: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<Event>> =>
    Effect.flatMap(write(items), (outcomes) =>
      Effect.forEach(items, (item, position) => eventOf(item, outcomes[position] ?? Exit.succeed(false)))
    )

/**
 * The scheduler's three kinds of writes. Each waits just long enough to share a statement with others of its kind, and
 * posts the event that follows.
 */
export const makeWrites = Effect.fnUntraced(function* (lines: Lines, post: Post) {
  const ledger = yield* Ledger
  const start = yield* makeBatch(lines, answered(together<Of<"Start">>(ledger.start)), MOST)
  const complete = yield* makeBatch(lines, answered(together<Of<"Complete">>(ledger.complete)), MOST)
  const fail = yield* makeBatch(lines, answered(together<Of<"Fail">>(ledger.fail)), MOST)

  return {
    write:
      (command: Transition): Work =>
      (done) => {
        const answer = (event: Event) => {
          post(event)
          done()
        }
        if (command._tag === "Start") start(command, answer)
        else if (command._tag === "Complete") complete(command, answer)
        else fail(command, answer)
      },
    recordAttempt: (command: Of<"RecordAttempt">) =>
      ledger.recordAttempt(command).pipe(
        Effect.retry({ while: passes, schedule: patiently }),
        // The export was deleted meanwhile, or is none of ours.
        Effect.catch((error) => Effect.logWarning("an attempt is not recorded", error))
      )
  }
})
