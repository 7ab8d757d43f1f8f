import type { Event } from "./Events.ts"

/** Into the scheduler's mailbox. `settled` is called when everything that follows from the event at once is carried out. */
export type Post = (event: Event, settled?: () => void) => void

/** `sequence` of the state as it is now: what is read from here on is at least as new. */
export type AsOf = () => number
