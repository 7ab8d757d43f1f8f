import { isTerminal } from "@reelay/contracts/Export"
import type { Export, Progress } from "@reelay/contracts/Export"
import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { exportEvent } from "@reelay/contracts/messages/Messages"
import type { ExportEvent } from "@reelay/contracts/messages/Messages"
import { EVENTS } from "@reelay/contracts/messages/Topology"
import type { ServerMessage } from "@reelay/contracts/Socket"
import { Bus } from "@reelay/platform/Bus"
import type { FarmChange } from "@reelay/platform/FarmView"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import type { Live } from "@reelay/platform/Rows"
import { progressOf } from "@reelay/render/Progress"
import { Clock, Context, Effect, Layer, Schedule, Stream } from "effect"
import { isOlder } from "./Outbox.ts"
import type { Outbox } from "./Outbox.ts"
import { OwnExports } from "./OwnExports.ts"
import type { Reading, Which } from "./OwnExports.ts"
import { cursorOf, History, positionOf } from "./Position.ts"

/** One connected client that has subscribed. */
export interface Listener {
  readonly user: UserId
  readonly which: Which
  readonly outbox: Outbox
  /** There is something in the outbox. */
  readonly wake: () => void
}

/** Events read back at start, so that clients of an earlier life of this process can resume. */
const REREAD = 10_000
/** Events handled together: one query for all of them. */
const BATCH = 100
/** How often Postgres is asked what no event told: an event can be lost, a row cannot. */
const SWEEP = "4 seconds"
/** Clocks of NATS and Postgres may differ, and a row is stamped before its event: a replay begins that much earlier. */
const REPLAY_MARGIN_MILLIS = 60_000
/** How long an ended export is remembered, so that an older reading of it that comes late is known for what it is. */
const ENDED_KEPT_MILLIS = 60_000

const NOTHING: Reading = { found: [], unreadable: new Set() }

interface Known {
  readonly told: Export
  readonly queuePosition: number | null
  readonly paused: boolean
  readonly at: number
}

/**
 * Everyone who listens, and what they are told: changes of state from the events, progress and queue positions from the
 * farm. Without listeners nothing is read and nothing is said.
 */
export class Audience extends Context.Service<
  Audience,
  {
    /** The first messages of a subscription; from then on what follows goes into the listener's outbox. */
    join(listener: Listener, since: string | number | null | undefined): Effect.Effect<void>
    leave(listener: Listener): Effect.Effect<void>
    readonly size: Effect.Effect<number>
  }
>()("@reelay/notifier/Audience") {
  static readonly layer = Layer.effect(
    Audience,
    Effect.gen(function* () {
      const bus = yield* Bus
      const farm = yield* LiveFarm
      const rows = yield* OwnExports
      const history = new History()
      const listeners = new Map<UserId, Set<Listener>>()
      /** What the listeners of a user were last told of an export, while it is active. */
      const known = new Map<UserId, Map<ExportId, Known>>()
      const nowMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

      const listening = (user: UserId, id: ExportId): ReadonlyArray<Listener> =>
        [...(listeners.get(user) ?? [])].filter(({ which }) => which === "all" || which.has(id))

      /** Ended ones only where an older reading may still be on its way: nothing more happens to them. */
      const remember = (value: Export, at: number): void => {
        const mine = known.get(value.userId) ?? new Map<ExportId, Known>()
        if (!listeners.has(value.userId) || (isTerminal(value.status) && !mine.has(value.id))) return
        known.set(value.userId, mine)
        mine.set(value.id, { told: value, queuePosition: value.queuePosition, paused: value.paused === true, at })
      }
      const tell = (value: Export, cursor: string, at: number, except?: Listener): void => {
        remember(value, at)
        for (const listener of listening(value.userId, value.id)) {
          if (listener === except) continue
          listener.outbox.offerState(value.id, value, cursor)
          listener.wake()
        }
      }
      const tellGone = (user: UserId, id: ExportId, cursor: string): void => {
        known.get(user)?.delete(id)
        for (const listener of listening(user, id)) {
          listener.outbox.offerState(id, null, cursor)
          listener.wake()
        }
      }

      const moved = (value: Export, { told }: Known): boolean =>
        told.status !== value.status || told.epoch !== value.epoch

      /** Readings of Postgres that no event asked for: what is news in them is told to all, but to whom it went anyway. */
      const learn = (found: ReadonlyArray<Export>, at: number, except?: Listener): void => {
        for (const value of found) {
          const before = known.get(value.userId)?.get(value.id)
          const news = before === undefined ? !isTerminal(value.status) : moved(value, before)
          if (news) tell(value, cursorOf(history.position), at, except)
        }
      }

      interface Heard {
        readonly body: ExportEvent
        readonly sequence: number
        readonly incarnation: string
        readonly storedMillis: number
      }
      /** Everybody who listens was told `before`: only what came after it, or says something else, is worth a word. */
      const isNews = (row: Export, before: Known): boolean =>
        isOlder(before.told, row) || (!isOlder(row, before.told) && moved(row, before))
      const onEvents = Effect.fnUntraced(function* (events: ReadonlyArray<Heard>) {
        const wanted = new Set(
          events.filter(({ body }) => listening(body.userId, body.exportId).length > 0).map(({ body }) => body.exportId)
        )
        const { found, unreadable } = wanted.size === 0 ? NOTHING : yield* rows.present([...wanted])
        const present = new Map(found.map((row) => [row.id, row]))
        const at = yield* nowMillis
        // No waiting from here on: who joins sees either all of this or none, as its cursor says.
        for (const { body, incarnation, sequence, storedMillis } of events) {
          const cursor = cursorOf({ incarnation, sequence })
          const row = present.get(body.exportId)
          const before = known.get(body.userId)?.get(body.exportId)
          if (row === undefined) {
            if (wanted.has(body.exportId) && !unreadable.has(body.exportId))
              tellGone(body.userId, body.exportId, cursor)
          } else if (row.userId === body.userId && (before === undefined || isNews(row, before))) {
            tell(row, cursor, at)
          }
          history.record(incarnation, sequence, storedMillis)
        }
      })

      const sweep = Effect.gen(function* () {
        if (listeners.size === 0) return
        const now = yield* nowMillis
        const active = new Map<ExportId, UserId>()
        for (const [user, mine] of known) {
          for (const [id, { at, told }] of mine) {
            if (!isTerminal(told.status)) active.set(id, user)
            else if (now - at > ENDED_KEPT_MILLIS) mine.delete(id)
          }
        }
        const { found, unreadable } = yield* rows.active([...listeners.keys()], [...active.keys()])
        learn(found, now)
        for (const { id } of found) active.delete(id)
        for (const [id, user] of active) if (!unreadable.has(id)) tellGone(user, id, cursorOf(history.position))
      })

      const follow = Effect.gen(function* () {
        yield* bus.connections.pipe(Stream.take(1), Stream.runDrain)
        const state = yield* bus.streamState(EVENTS).pipe(Effect.retry(Schedule.spaced("250 millis")), Effect.orDie)
        const from = Math.max(state.first - 1, state.last - REREAD, 0)
        history.begin({ incarnation: state.incarnation, sequence: from })
        // Who joined before any event was heard has not been told of those that are past by now.
        yield* sweep
        const isPast = ({ incarnation, sequence }: Heard) => incarnation === state.incarnation && sequence <= state.last
        yield* bus.follow(EVENTS, exportEvent, from).pipe(
          Stream.groupedWithin(BATCH, "5 millis"),
          Stream.runForEach((events) => {
            for (const event of events) {
              if (isPast(event)) history.record(event.incarnation, event.sequence, event.storedMillis)
            }
            return onEvents(events.filter((event) => !isPast(event)))
          })
        )
      })

      const tellProgress = (user: UserId, id: ExportId, progress: Progress): void => {
        for (const listener of listening(user, id)) {
          listener.outbox.offerProgress(id, progress)
          listener.wake()
        }
      }
      const onFarm = Effect.fnUntraced(function* (change: FarmChange) {
        if (change._tag === "Progress") tellProgress(change.userId, change.exportId, change.progress)
        if (change._tag !== "Queue") return
        for (const [user, mine] of known) {
          for (const [id, before] of mine) {
            if (before.told.status !== "pending") continue
            const live = yield* farm.liveOf(id)
            if (live.queuePosition === before.queuePosition && live.paused === before.paused) continue
            mine.set(id, { ...before, queuePosition: live.queuePosition, paused: live.paused })
            tellProgress(user, id, live.progress?.status === "pending" ? live.progress : waiting(before.told, live))
          }
        }
      })

      /** None of these ends; should one break, it is said and begins again. */
      const kept = <E>(actor: Effect.Effect<void, E>) =>
        actor.pipe(
          Effect.catchCause((cause) => Effect.logError("the audience stumbled", cause)),
          Effect.andThen(Effect.sleep("1 second")),
          Effect.forever,
          Effect.forkScoped
        )
      yield* kept(follow)
      yield* kept(farm.changes.pipe(Stream.runForEach(onFarm)))
      yield* kept(sweep.pipe(Effect.delay(SWEEP)))

      const snapshot = Effect.fnUntraced(function* ({ user, which }: Listener, cursor: string) {
        const exports = yield* rows.recent(user, which)
        const message: ServerMessage = { type: "snapshot", exports, cursor }
        return [message]
      })
      /** Null: it must be a snapshot. */
      const replay = Effect.fnUntraced(function* ({ user, which }: Listener, since: string, cursor: string) {
        const position = positionOf(since)
        const then = position === null ? null : history.timeOf(position)
        if (then === null) return null
        const changed = yield* rows.changedSince(user, which, then - REPLAY_MARGIN_MILLIS)
        // Only the last one moves the client on: a replay that breaks off is repeated.
        return (
          changed?.map((value, index): ServerMessage => ({
            type: "state",
            export: value,
            cursor: index === changed.length - 1 ? cursor : since
          })) ?? null
        )
      })

      return Audience.of({
        join: Effect.fn("Audience.join")(function* (listener, since) {
          listener.outbox.hold()
          const mine = listeners.get(listener.user) ?? new Set<Listener>()
          listeners.set(listener.user, mine.add(listener))
          // All that was passed on before is in Postgres, and all that comes now goes into the outbox.
          const cursor = cursorOf(history.position)
          const replayed = typeof since === "string" ? yield* replay(listener, since, cursor) : null
          const first = replayed ?? (yield* snapshot(listener, cursor))
          const told = first.flatMap((message) =>
            message.type === "snapshot" ? message.exports : message.type === "state" ? [message.export] : []
          )
          listener.outbox.start(first)
          listener.wake()
          learn(told, yield* nowMillis, listener)
        }),
        leave: (listener) =>
          Effect.sync(() => {
            const mine = listeners.get(listener.user)
            mine?.delete(listener)
            if (mine?.size !== 0) return
            listeners.delete(listener.user)
            known.delete(listener.user)
          }),
        size: Effect.sync(() => [...listeners.values()].reduce((sum, { size }) => sum + size, 0))
      })
    })
  )
}

/** The progress of what waits and of which nothing else was said: the scheduler says the order of the queue once for all. */
const waiting = (value: Export, { paused, queuePosition }: Live): Progress =>
  progressOf(
    {
      epoch: value.epoch,
      status: "pending",
      queuePosition,
      paused,
      framesTotal: value.frames,
      framesDone: 0,
      finishingDone: 0,
      finishingTotal: 0,
      encodingBegan: false,
      speed: null,
      elapsedSeconds: 0,
      frameRate: 30
    },
    null
  )
