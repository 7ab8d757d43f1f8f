/**
 * How long to wait before starting a role again. Pure. One that had lived well comes back at once; one that keeps
 * ending gets longer and longer pauses, up to five seconds, so that a broken one does not eat the machine.
 */
export interface Restarts {
  /** Ends in a row that came soon after a start. */
  readonly quick: number
}

export const FRESH: Restarts = { quick: 0 }
const LIVED_WELL_MILLIS = 10_000
const FIRST_PAUSE_MILLIS = 50
const LONGEST_PAUSE_MILLIS = 5000

export const afterEnd = (
  state: Restarts,
  livedMillis: number
): { readonly state: Restarts; readonly pauseMillis: number } => {
  const quick = livedMillis >= LIVED_WELL_MILLIS ? 0 : state.quick + 1
  // 2^quick outgrows a number's precision only long after it outgrew the limit.
  return {
    state: { quick },
    pauseMillis: Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS * 2 ** Math.min(quick, 10))
  }
}
