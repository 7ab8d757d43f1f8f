/** Milliseconds between polls: the first, and the most it backs off to. */
export const POLL_FIRST = 2000
export const POLL_LAST = 10_000
const GROWTH = 1.5

/** `changed`: something moved, look again soon. A rejection counts as `same`. */
export type Poll = () => Promise<"changed" | "same">

/** Asks again and again while the socket is down. One question at a time; quiet answers make it ask less often. */
export const makePoller = (poll: Poll) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = false
  let asking = false
  let wait = POLL_FIRST

  const schedule = () => {
    clearTimeout(timer)
    timer = setTimeout(() => void round(), wait)
  }
  const round = async () => {
    asking = true
    const answer = await poll().catch(() => "same" as const)
    asking = false
    if (!running) return
    wait = answer === "changed" ? POLL_FIRST : Math.min(POLL_LAST, wait * GROWTH)
    schedule()
  }

  return {
    start: () => {
      if (running) return
      running = true
      wait = POLL_FIRST
      // A question from before the last stop is still out: it schedules the next when it is answered.
      if (!asking) schedule()
    },
    stop: () => {
      running = false
      clearTimeout(timer)
    },
    /** At once: someone is looking, or the network is back. */
    hurry: () => {
      if (!running || asking) return
      clearTimeout(timer)
      wait = POLL_FIRST
      void round()
    }
  }
}
