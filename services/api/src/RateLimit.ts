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

/** Of the exports that a user had accepted within the window, at most `limit` of them: how many, and the age of the oldest. */
export interface Used {
  readonly count: number
  /** Seconds; null without any. */
  readonly oldest: number | null
}

export const allowanceOf = (limit: number, { count, oldest }: Used): Allowance => ({
  limit,
  remaining: Math.max(0, limit - count),
  resetSeconds: oldest === null ? 0 : Math.max(1, Math.ceil(WINDOW - oldest))
})

/** What is left once one more was accepted, just now. */
const afterOne = (allowance: Allowance): Allowance => ({
  ...allowance,
  remaining: allowance.remaining - 1,
  resetSeconds: allowance.resetSeconds === 0 ? WINDOW : allowance.resetSeconds
})

export type Verdict =
  | { readonly _tag: "admitted"; readonly allowance: Allowance }
  | { readonly _tag: "limited"; readonly allowance: Allowance }
  /** Its key was used before: it makes no export, and so uses nothing up. */
  | { readonly _tag: "repeated" }

/**
 * Who of those that ask together gets in, in their order. What is said of them must hold until the rows are there: what
 * the user has used, and whether the key is some export's already.
 */
export const admit = <
  A extends { readonly userId: string; readonly key: string | null; readonly known: boolean; readonly used: Used }
>(
  limit: number,
  asked: ReadonlyArray<A>
): ReadonlyArray<A & { readonly verdict: Verdict }> => {
  const users = new Map<string, { allowance: Allowance; readonly keys: Set<string> }>()
  const verdictOn = ({ key, known, used, userId }: A): Verdict => {
    const user = users.get(userId) ?? { allowance: allowanceOf(limit, used), keys: new Set() }
    users.set(userId, user)
    if (known || (key !== null && user.keys.has(key))) return { _tag: "repeated" }
    if (user.allowance.remaining === 0) return { _tag: "limited", allowance: user.allowance }
    if (key !== null) user.keys.add(key)
    user.allowance = afterOne(user.allowance)
    return { _tag: "admitted", allowance: user.allowance }
  }
  return asked.map((one) => ({ ...one, verdict: verdictOn(one) }))
}
