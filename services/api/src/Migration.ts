import { Database } from "@reelay/platform/Database"
import { Context, Effect, Layer, Ref, Schedule } from "effect"

/**
 * Brings the database's schema up to date, beside serving: an api that starts while Postgres is away answers (with what is
 * missing) and does this as soon as it can.
 */
export class Migration extends Context.Service<
  Migration,
  {
    readonly done: Effect.Effect<boolean>
  }
>()("@reelay/api/Migration") {
  static readonly layer = Layer.effect(
    Migration,
    Effect.gen(function* () {
      const database = yield* Database
      const done = yield* Ref.make(false)
      yield* database.migrate.pipe(
        Effect.retry(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 30 }))),
        Effect.tapError((error) => Effect.logWarning(`the schema cannot be brought up to date yet: ${error.message}`)),
        Effect.retry(Schedule.spaced("1 second")),
        Effect.andThen(Ref.set(done, true)),
        Effect.forkScoped
      )
      return Migration.of({ done: Ref.get(done) })
    })
  )
}
