import type { ExportId } from "@reelay/contracts/Ids"
import { exportEvent } from "@reelay/contracts/messages/Messages"
import { EVENTS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Exit, Schedule, Stream } from "effect"
import type { Command } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import { makeLines } from "./Lines.ts"

type Announce = Pick<Extract<Command, { readonly _tag: "Announce" }>, "id" | "user" | "epoch" | "status">

/** Messages at the end of the stream that a new leader reads to know what was said last. */
const TAIL = 5000
/** How long it waits for them before it begins without. */
const TAIL_WAIT = "3 seconds"
/** Words of one publish. */
const TOGETHER = 256
/** Milliseconds by which the clocks of NATS and Postgres may differ. Whoever is told twice reads the same row twice. */
const SKEW = 60_000

const wordOf = ({ epoch, status }: Pick<Announce, "epoch" | "status">): string => `${epoch}:${status}`

/** While NATS is away: again and again, for as long as this term lasts. */
const untilSaid = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("3 seconds")])

const readTail = Effect.gen(function* () {
  const bus = yield* Bus
  const told = new Map<ExportId, string>()
  let since: number | null = null
  const { first, last } = yield* bus.streamState(EVENTS)
  if (last === 0 || first > last) return { told, since }
  yield* bus.follow(EVENTS, exportEvent, Math.max(first - 1, last - TAIL)).pipe(
    Stream.takeUntil(({ sequence }) => sequence >= last),
    Stream.runForEach(({ body, storedMillis }) =>
      Effect.sync(() => {
        since ??= storedMillis
        told.set(body.exportId, wordOf(body))
      })
    )
  )
  return { told, since }
})

/** All of them again when it is not certain that all got out: hearing twice of a change is no other change. */
const sayAll = Effect.fnUntraced(function* (news: ReadonlyArray<Announce>) {
  const bus = yield* Bus
  const events = news.map(({ epoch, id, status, user }) => ({
    v: 1 as const,
    exportId: id,
    userId: user,
    epoch,
    status
  }))
  yield* bus.publishAll(exportEvent, events).pipe(Effect.retry(untilSaid), Effect.orDie)
  return news.map(() => Exit.void)
})

/**
 * Says every change of state on the stream of events, in order for each export, and keeps at it while NATS is away;
 * nothing else waits for that. A new leader says nothing twice, and says what its forerunner wrote or the api cancelled
 * while nobody was there to say it.
 */
export const makeAnnouncements = Effect.gen(function* () {
  const bus = yield* Bus
  const ledger = yield* Ledger
  // Lines of their own: an export goes on while its news wait.
  const lines = yield* makeLines
  const nothing: Effect.Success<typeof readTail> = { told: new Map(), since: null }
  const { since, told } = yield* readTail.pipe(
    Effect.timeout(TAIL_WAIT),
    Effect.catch(() => Effect.succeed(nothing))
  )

  const saying = lines.batch({
    most: TOGETHER,
    run: (news: ReadonlyArray<Announce>) => Effect.provideService(sayAll(news), Bus, bus),
    isForAll: () => true
  })

  const say = (news: Announce): void => {
    const known = told.get(news.id)
    told.delete(news.id)
    if (known !== wordOf(news)) lines.add(news.id, (done) => saying(news, () => done()))
  }

  const catchUp = Effect.gen(function* () {
    if (since === null) return
    for (const ended of yield* ledger.endedSince(since - SKEW)) say(ended)
  }).pipe(Effect.catch((error) => Effect.logWarning("what ended lately cannot be read", error.message)))
  lines.beside(catchUp)

  return { say, broken: lines.broken }
})
