/**
 * A small circuit breaker for one family of encoders. Pure: time comes in as milliseconds of a monotonic clock.
 *
 *   ok ──failure, and a probe fails──► broken ──pause, probe──► ok (one more failure opens it again)
 *   ok ──three failures in a row────► broken
 */
export interface Breaker {
  readonly state: "ok" | "broken"
  /** Failures since the last success. */
  readonly failures: number
  /** "Device busy" answers since the last success: patience has an end, too. */
  readonly refusals: number
  readonly reason: string | null
  /** When to probe next; null while it works. */
  readonly probeAt: number | null
  /** Milliseconds of the last pause; doubles each time. */
  readonly pause: number
}

const FAILURES = 3
const REFUSALS = 10
const FIRST_PAUSE = 15_000
const LONGEST_PAUSE = 600_000

export const closed: Breaker = { state: "ok", failures: 0, refusals: 0, reason: null, probeAt: null, pause: 0 }

const open = (breaker: Breaker, reason: string, now: number): Breaker => {
  const pause = Math.min(LONGEST_PAUSE, breaker.pause === 0 ? FIRST_PAUSE : breaker.pause * 2)
  return { ...breaker, state: "broken", reason, pause, probeAt: now + pause }
}

export const succeeded = (breaker: Breaker): Breaker => (breaker.state === "ok" ? closed : breaker)

/** A task failed by the encoder's fault. */
export const failed = (breaker: Breaker, reason: string, now: number): Breaker => {
  const next = { ...breaker, failures: breaker.failures + 1 }
  return next.state === "ok" && next.failures >= FAILURES ? open(next, reason, now) : next
}

/** The device is taken. `patient` says whether to wait on, or to call it a failure. */
export const refused = (breaker: Breaker): { readonly breaker: Breaker; readonly patient: boolean } => {
  const refusals = breaker.refusals + 1
  return refusals >= REFUSALS
    ? { breaker: { ...breaker, refusals: 0 }, patient: false }
    : { breaker: { ...breaker, refusals }, patient: true }
}

/** What a probe found: null when it works, else why not. */
export const probed = (breaker: Breaker, problem: string | null, now: number): Breaker => {
  if (problem !== null) return open(breaker, problem, now)
  if (breaker.state === "ok") return breaker
  // Half open: it is believed, but the pause is remembered and one failure is enough.
  return { ...breaker, state: "ok", failures: FAILURES - 1, refusals: 0, reason: null, probeAt: null }
}
