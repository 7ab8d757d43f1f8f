import type { ExportId } from "@reelay/contracts/Ids"
import type { DatabaseError } from "@reelay/platform/DatabaseError"
import { Effect, Exit, Schedule } from "effect"
import { makeBatch } from "./Batch.ts"
import type { Command, Event } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines } from "./Lines.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

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

/**
 * The scheduler's three kinds of writes. Each waits just long enough to share a statement with others of its kind, and
 * answers with the event that follows: ours or not ours to make, or refused for good.
 */
export const makeWrites = Effect.fnUntraced(function* (lines: Lines) {
  const ledger = yield* Ledger
  const start = yield* makeBatch(lines, together<Of<"Start">>(ledger.start), MOST)
  const complete = yield* makeBatch(lines, together<Of<"Complete">>(ledger.complete), MOST)
  const fail = yield* makeBatch(lines, together<Of<"Fail">>(ledger.fail), MOST)

  const answer = Effect.fnUntraced(function* (
    command: Of<"Start"> | Of<"Complete"> | Of<"Fail">
  ): Effect.fn.Return<Event> {
    const { id, token } = command
    const write =
      command._tag === "Start" ? start(command) : command._tag === "Complete" ? complete(command) : fail(command)
    return yield* write.pipe(
      Effect.map((won): Event => {
        if (command._tag === "Start") return { _tag: "Started", id, token, won }
        return { _tag: "Ended", id, token, won, status: command._tag === "Complete" ? "completed" : "failed" }
      }),
      Effect.catch((error) =>
        Effect.logError("Postgres refuses a transition", error).pipe(
          Effect.annotateLogs({ exportId: id, transition: command._tag }),
          Effect.as<Event>({ _tag: "Refused", id, token, reason: "The result could not be recorded." })
        )
      )
    )
  })

  return {
    answer,
    recordAttempt: (command: Of<"RecordAttempt">) =>
      ledger.recordAttempt(command).pipe(
        Effect.retry({ while: passes, schedule: patiently }),
        // The export was deleted meanwhile, or is none of ours.
        Effect.catch((error) => Effect.logWarning("an attempt is not recorded", error))
      )
  }
})
