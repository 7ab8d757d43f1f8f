import { type Export, isTerminal, type Progress, type Stage } from "@reelay/contracts/Export"
import { DateTime } from "effect"

/**
 * Answers arrive by socket, by poll and by click, late, twice and out of order. Both joins below take the greater of
 * two facts in a total order, so they are commutative, associative and idempotent: whatever the order of arrival, the
 * page ends at the same place and never walks backwards on the way.
 */

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * The order in which an epoch is lived: waiting (the first only, each later one begins as it starts to run), running,
 * ended, waiting again (retry).
 */
const rank = (row: Export): number =>
  row.status === "processing" ? 1 : isTerminal(row.status) ? 2 : row.epoch === 0 ? 0 : 3

/** An epoch that runs has not ended yet, whatever the instants say: Postgres stamps when a transaction began. */
const ran = (row: Export): number => (row.status === "processing" ? 0 : 1)

/**
 * Later in an export's life. Only Postgres' clock tells a cancelled row from the retried one; of the same millisecond,
 * the rank decides.
 */
const compareRows = (a: Export, b: Export): number =>
  a.epoch - b.epoch
  || ran(a) - ran(b)
  || DateTime.toEpochMillis(a.updatedAt) - DateTime.toEpochMillis(b.updatedAt)
  || rank(a) - rank(b)
  || text(a.status, b.status)

/** The newer of two readings of one row; `known` itself when the other says nothing new. */
export const newerRow = (known: Export | null, said: Export): Export =>
  known !== null && compareRows(known, said) >= 0 ? known : said

const STAGES: ReadonlyArray<Stage> = ["queued", "preparing", "encoding", "finishing", "done"]

/** A later word of the same epoch: elapsed time is its clock, the rest only makes the order total. */
const compareWords = (a: Progress, b: Progress): number =>
  a.elapsedSeconds - b.elapsedSeconds
  || (a.speed ?? -1) - (b.speed ?? -1)
  || (b.etaSeconds ?? 1e12) - (a.etaSeconds ?? 1e12)
  || text(a.message, b.message)
  || (a.queuePosition ?? 0) - (b.queuePosition ?? 0)

/**
 * A new epoch starts over; within one, percent, frames and stage keep their maximum while speed, ETA and message are
 * those of the latest word. (A scheduler that took over may reckon a lower percent: people must not see it fall.)
 */
export const furtherProgress = (known: Progress | null, said: Progress): Progress => {
  if (known === null || said.epoch > known.epoch) return said
  if (said.epoch < known.epoch) return known
  const later = compareWords(said, known) > 0
  const joined = {
    stage: STAGES.indexOf(said.stage) > STAGES.indexOf(known.stage) ? said.stage : known.stage,
    status: isTerminal(said.status) && !isTerminal(known.status) ? said.status : known.status,
    percent: Math.max(known.percent, said.percent),
    framesDone: Math.max(known.framesDone, said.framesDone),
    framesTotal: Math.max(known.framesTotal, said.framesTotal)
  }
  const same =
    joined.stage === known.stage
    && joined.status === known.status
    && joined.percent === known.percent
    && joined.framesDone === known.framesDone
    && joined.framesTotal === known.framesTotal
  return same && !later ? known : { ...(later ? said : known), ...joined }
}
