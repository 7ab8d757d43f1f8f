import type { ExportId } from "@reelay/contracts/Ids"
import type { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import type { ObjectStore } from "@reelay/platform/ObjectStore"
import { Effect, Latch, Layer, Metric, Queue, Random, Schedule } from "effect"
import { keepCache } from "./CacheKeeper.ts"
import { decide } from "./Decide.ts"
import type { Command, Event } from "./Events.ts"
import { makeExecutor } from "./Executor.ts"
import type { Ledger } from "./Ledger.ts"
import { makeLines } from "./Lines.ts"
import { listen, readFloors } from "./Listening.ts"
import type { Post } from "./Post.ts"
import { makeReconciler } from "./Reconciler.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"
import { initial } from "./State.ts"
import type { State } from "./State.ts"
import { slotsWanted } from "./Tasks.ts"

/** Time passes for the decisions in steps of the first while exports wait or run, else of the second. */
const TICK_MILLIS = { busy: 250, idle: 1000 }
const MEASURE = "5 seconds"
const LOCK = "reelay-scheduler"

const active = Metric.gauge("reelay_scheduler_active", { description: "1 where this process leads" })
const known = Metric.gauge("reelay_scheduler_exports", { description: "Exports that wait or run" })
const wanted = Metric.gauge("reelay_scheduler_slots_wanted", {
  description: "Slots that would be busy if there were enough, by pool: what autoscaling listens to"
})

interface Letter {
  readonly event: Event
  readonly settled: (() => void) | null
}

const measure = Effect.fnUntraced(function* (state: State) {
  yield* Metric.update(known, state.jobs.size)
  for (const [pool, slots] of slotsWanted(state)) {
    yield* Metric.update(Metric.withAttributes(wanted, { pool }), slots)
  }
})

/** Nobody waits for anything, and everybody knows. */
const isAtRest = ({ jobs, queueChanged }: State): boolean => jobs.size === 0 && !queueChanged

/** Whose line an event's settling waits in. */
const lineOf = (event: Event): ExportId | null => (event._tag === "Result" ? event.result.exportId : null)

/**
 * One term of leadership: a mailbox, the state, and `decide` between them. All that happens arrives as an event; all
 * that is to be done leaves as a command. It knows nothing at its beginning: rows, streams and manifests tell.
 */
export const term = Effect.gen(function* () {
  const { policy } = yield* SchedulerConfig
  const mailbox = yield* Queue.unbounded<Letter>()
  const post: Post = (event, settled) => void Queue.offerUnsafe(mailbox, { event, settled: settled ?? null })
  const seed = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16).padStart(8, "0")
  let state = initial(policy, { seed, wallOffset: Date.now() - performance.now() })
  const asOf = () => state.sequence

  const lines = yield* makeLines
  const informed = yield* Latch.make(false)
  const hurry: { look: () => void } = { look: () => {} }
  const { broken, execute, reads, unsent } = yield* makeExecutor(lines, post, asOf, () => hurry.look())
  post({ _tag: "Floors", floors: yield* readFloors })
  hurry.look = yield* makeReconciler(lines, post, asOf, unsent)
  lines.beside(
    listen(post, () => hurry.look(), informed.await).pipe(
      Effect.provideContext(yield* Effect.context<Bus | Ledger | SchedulerConfig>())
    )
  )
  const busy = yield* Latch.make(false)
  lines.beside(
    Effect.sync(() => post({ _tag: "Tick" })).pipe(
      Effect.andThen(Effect.sleep(TICK_MILLIS.busy)),
      Effect.andThen(busy.await.pipe(Effect.timeoutOption(TICK_MILLIS.idle - TICK_MILLIS.busy))),
      Effect.forever
    )
  )
  lines.beside(Effect.suspend(() => measure(state)).pipe(Effect.repeat(Schedule.spaced(MEASURE)), Effect.asVoid))

  lines.beside(keepCache.pipe(Effect.provideContext(yield* Effect.context<Database | ObjectStore | SchedulerConfig>())))

  let surveyed = false
  /** Whether every row that is active was read and every plan that runs is loaded. */
  const isInformed = (): boolean => {
    if (!surveyed || reads() || Queue.sizeUnsafe(mailbox) > 0) return false
    for (const { phase } of state.jobs.values()) if (phase === "loading") return false
    return true
  }

  const decideForever = Effect.gen(function* () {
    for (const { event, settled } of yield* Queue.takeAll(mailbox)) {
      let commands: ReadonlyArray<Command>
      try {
        ;[state, commands] = decide(state, event, performance.now())
      } catch (mistake) {
        // It would be delivered to the next term, too. Without it, streams and store tell what is to be done.
        settled?.()
        return yield* Effect.die(mistake)
      }
      for (const command of commands) execute(command)
      surveyed ||= event._tag === "Surveyed"
      const line = lineOf(event)
      if (settled === null) continue
      if (line === null) settled()
      else
        lines.add(line, (done) => {
          settled()
          done()
        })
    }
    if (!informed.isOpen() && isInformed()) informed.openUnsafe()
    if (isAtRest(state)) busy.closeUnsafe()
    else busy.openUnsafe()
  }).pipe(Effect.forever)
  yield* Effect.raceFirst(decideForever, Effect.raceFirst(lines.broken, broken))
})

/** Leads while it holds the lock, stands by while another does. Ends never. */
const lead = Effect.gen(function* () {
  const database = yield* Database
  yield* database.migrate.pipe(
    Effect.tapError((error) => Effect.logWarning("Postgres is not ready yet", error.message)),
    Effect.retry(Schedule.spaced("1 second"))
  )
  yield* Effect.gen(function* () {
    yield* Metric.update(active, 0)
    yield* Effect.logInfo("standing by")
    const lock = yield* database.advisoryLock(LOCK)
    yield* Metric.update(active, 1)
    yield* Effect.logInfo("leading")
    yield* Effect.raceFirst(Effect.scoped(term), lock.lost)
    yield* Effect.logWarning("the lock is lost: stepping down")
  }).pipe(
    Effect.scoped,
    Effect.catchCause((cause) =>
      Effect.logError("a term ended badly; another begins", cause).pipe(Effect.delay("1 second"))
    ),
    Effect.forever
  )
})

/** Leadership as a layer: it lasts as long as the process. */
export const scheduler = Layer.effectDiscard(Effect.forkScoped(lead))
