import { Auth } from "@reelay/platform/Auth"
import { Config, Effect, Option, Schema } from "effect"

/** Seconds over which accepted exports are counted. */
export const WINDOW = 3600
const USUAL_LIMIT = 10

/** How many exports a user may start an hour (`REELAY_EXPORTS_PER_HOUR`; 0: as many as they like). Null: no limit. */
export const exportsPerHour = Effect.gen(function* () {
  const auth = yield* Auth
  const said = yield* Config.option(
    Config.schema(
      Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)),
      "REELAY_EXPORTS_PER_HOUR"
    )
  )
  const limit = Option.getOrElse(said, () => (auth.mode === "jwt" ? USUAL_LIMIT : 0))
  return limit === 0 ? null : limit
})

export interface Allowance {
  readonly limit: number
  readonly remaining: number
  /** Seconds until one more is free. */
  readonly resetSeconds: number
}

/** `ages`: seconds since each of the latest accepted exports, newest first, at most `limit` of them. */
export const allowanceOf = (limit: number, ages: ReadonlyArray<number>): Allowance => {
  const within = ages.filter((age) => age < WINDOW)
  const oldest = within.at(-1)
  return {
    limit,
    remaining: Math.max(0, limit - within.length),
    resetSeconds: oldest === undefined ? 0 : Math.max(1, Math.ceil(WINDOW - oldest))
  }
}

/** What is left once one more was accepted, just now. */
export const afterOne = (allowance: Allowance): Allowance => ({
  ...allowance,
  remaining: allowance.remaining - 1,
  resetSeconds: allowance.resetSeconds === 0 ? WINDOW : allowance.resetSeconds
})
