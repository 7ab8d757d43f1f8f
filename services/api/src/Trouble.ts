import { Internal, Unavailable } from "@reelay/contracts/Problem"
import { DatabaseError } from "@reelay/platform/DatabaseError"
import { ObjectStoreError } from "@reelay/platform/ObjectStore"
import { RowError } from "@reelay/platform/Rows"
import { Effect } from "effect"

/** What can befall any call and is never the caller's fault. Services let it pass; where a call is answered it is told. */
export type Trouble = DatabaseError | ObjectStoreError | RowError

const isTrouble = (error: unknown): error is Trouble =>
  error instanceof DatabaseError || error instanceof ObjectStoreError || error instanceof RowError

const problemOf = (trouble: Trouble): Unavailable | Internal => {
  if (trouble._tag === "DatabaseError" && trouble.reason === "unavailable") {
    return new Unavailable({ detail: "The database cannot be reached right now.", missing: ["database"] })
  }
  if (trouble._tag === "ObjectStoreError" && trouble.reason === "no_space") {
    return new Unavailable({ detail: "There is no space left for this.", missing: ["space"] })
  }
  return new Internal({})
}

/** Trouble as the problem that a caller sees; what it really was goes to the log. */
export const told = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, Exclude<E, Trouble> | Unavailable | Internal, R> =>
  effect.pipe(
    Effect.catch((error): Effect.Effect<never, Exclude<E, Trouble> | Unavailable | Internal> => {
      // The compiler does not narrow what is left of a type parameter.
      if (!isTrouble(error)) return Effect.fail(error as Exclude<E, Trouble>)
      const problem = problemOf(error)
      const note =
        problem._tag === "Internal" ? Effect.logError("a call failed", error) : Effect.logWarning(error.message)
      return Effect.andThen(note, Effect.fail(problem))
    })
  )
