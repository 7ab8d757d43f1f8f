import type { ExportId } from "@reelay/contracts/Ids"
import { control, exportProgress, queueOrder, taskMessage } from "@reelay/contracts/messages/Messages"
import { poolConsumer, TASKS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { Effect, Metric, Queue, Schedule, Semaphore } from "effect"
import { makeAnnouncements } from "./Announcements.ts"
import type { Command, Event } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines } from "./Lines.ts"
import { disown, linkOutputs, readManifest, unlinkOutputs } from "./Manifests.ts"
import { load, makeSources, plan } from "./Planner.ts"
import type { AsOf, Post } from "./Post.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"
import { makeWrites } from "./Writes.ts"

/** Plans made, plans read, outputs linked at once: each holds a plan or a manifest in memory. */
const HEAVY = 16
/** Rows of one read. */
const READ = 500

const dispatches = Metric.counter("reelay_scheduler_dispatches_total", { description: "Tasks sent out" })
const redispatches = Metric.counter("reelay_scheduler_redispatches_total", {
  description: "Tasks sent out again: failed, vanished, or with an encoder that fell silent"
})

/** What follows in an export's line does not wait for a broken store for ever. */
const aWhile = { times: 10, schedule: Schedule.spaced("2 seconds") }
/** A pool without a consumer is a pool that nobody can claim from: asked for until it is there. */
const untilThere = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("5 seconds")])

/**
 * Carries out what `decide` wants. Commands of one export keep their order, those of different exports do not wait for
 * each other. What takes long (plans, look-ups, links) answers by an event and holds up nobody. Messages that do not
 * get out are no failure: the next look at the streams finds what is missing.
 */
export const makeExecutor = Effect.fnUntraced(function* (lines: Lines, post: Post, asOf: AsOf, lookAround: () => void) {
  const bus = yield* Bus
  const store = yield* ObjectStore
  const ledger = yield* Ledger
  const { ackWait } = yield* SchedulerConfig
  const writes = yield* makeWrites(lines)
  const sources = yield* makeSources(lines)
  const announcements = yield* makeAnnouncements
  const heavy = yield* Semaphore.make(HEAVY)
  const inspections = yield* Queue.unbounded<ExportId>()
  let asked = 0
  /**
   * Dispatches that are not published yet. Until then the stream lacks their tasks, which must not pass for lost; of
   * several that wait in a line that stands still only the last goes out.
   */
  const latest = new Map<string, string>()

  const answered = (work: Effect.Effect<Event>): Effect.Effect<void> => Effect.map(work, (event) => post(event))
  const aside = (work: Effect.Effect<Event>): void => lines.beside(heavy.withPermit(answered(work)))

  // One read at a time, so that answers come in the order of their reads.
  const complained = new Set<ExportId>()
  const inspect = Effect.gen(function* () {
    const taken = yield* Queue.takeBetween(inspections, 1, READ)
    const ids = [...new Set(taken)]
    const sequence = asOf()
    const { rows, unreadable } = yield* ledger.rows(ids).pipe(
      Effect.tapError((error) => Effect.logWarning("rows cannot be read yet", error)),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.orDie
    )
    for (const id of unreadable) {
      if (complained.has(id)) continue
      complained.add(id)
      yield* Effect.logError("an export's row cannot be read and waits for a scheduler that can").pipe(
        Effect.annotateLogs({ exportId: id })
      )
    }
    const there = new Set([...rows.map((row) => row.id), ...unreadable])
    post({ _tag: "Rows", asOf: sequence, rows, missing: ids.filter((id) => !there.has(id)) })
    asked -= taken.length
  })
  lines.beside(Effect.forever(inspect))

  const look = Effect.fnUntraced(function* (command: Extract<Command, { readonly _tag: "Look" }>) {
    const { epoch, id, task, user } = command
    return yield* readManifest(store, user, task).pipe(
      Effect.map((manifest): Event => ({ _tag: "Looked", id, epoch, task, manifest, failed: false })),
      Effect.catch((error) =>
        Effect.logWarning("the store does not say whether a task is done", error).pipe(
          Effect.as<Event>({ _tag: "Looked", id, epoch, task, manifest: null, failed: true })
        )
      )
    )
  })

  const link = Effect.fnUntraced(function* (command: Extract<Command, { readonly _tag: "Link" }>) {
    const { epoch, id, token, user } = command
    return yield* linkOutputs(store, command).pipe(
      Effect.map((outputs): Event => ({ _tag: "Linked", id, token, epoch, user, outputs })),
      Effect.catch((error) =>
        Effect.logWarning("outputs cannot be put in place", error).pipe(
          Effect.annotateLogs({ exportId: id }),
          Effect.as<Event>({ _tag: "LinkFailed", id, token, vanished: error.reason === "not_found" })
        )
      )
    )
  })

  const inLine = (command: Command): Effect.Effect<void> | null => {
    switch (command._tag) {
      case "Start":
      case "Complete":
      case "Fail":
        return answered(writes.answer(command))
      case "RecordAttempt":
        return writes.recordAttempt(command)
      case "Dispatch": {
        const { again, message } = command
        const task = `${message.exportId}.${message.task}`
        latest.set(task, message.dispatch)
        return Effect.suspend(() => {
          if (latest.get(task) !== message.dispatch) return Effect.void
          return bus.publish(taskMessage, message).pipe(
            Effect.andThen(Metric.update(again ? redispatches : dispatches, 1)),
            Effect.ignore,
            Effect.andThen(
              Effect.sync(() => {
                if (latest.get(task) === message.dispatch) latest.delete(task)
              })
            )
          )
        })
      }
      case "Purge":
        return bus.purge(TASKS, command.subject).pipe(Effect.ignore)
      case "Stop":
        return bus.broadcast(control, { _tag: "Cancel", v: 1, exportId: command.id, epoch: command.epoch })
      case "Report":
        return bus.broadcast(exportProgress, {
          v: 1,
          exportId: command.id,
          userId: command.user,
          progress: command.progress
        })
      case "Unlink":
        return unlinkOutputs(store, command).pipe(
          Effect.retry(aWhile),
          Effect.catch((error) => Effect.logWarning("links that nobody needs stay", error))
        )
      case "Disown":
        return disown(store, command.user, command.task).pipe(
          Effect.catch((error) => Effect.logWarning("a broken manifest stays", error))
        )
      default:
        return null
    }
  }

  /** Returns at once. */
  const execute = (command: Command): void => {
    switch (command._tag) {
      case "Inspect":
        Queue.offerUnsafe(inspections, command.id)
        asked++
        return
      case "LookAround":
        return lookAround()
      case "Announce":
        return announcements.say(command)
      case "Plan":
        return aside(
          plan(command, sources).pipe(Effect.provideService(ObjectStore, store), Effect.provideService(Ledger, ledger))
        )
      case "Load":
        return aside(
          load(command).pipe(Effect.provideService(ObjectStore, store), Effect.provideService(Ledger, ledger))
        )
      case "Look":
        return aside(look(command))
      case "Link":
        return aside(link(command))
      case "EnsureConsumer":
        return lines.beside(
          bus.ensureConsumer(poolConsumer(command.pool, ackWait)).pipe(
            // The next connection asks for it anew.
            Effect.retry({ while: () => bus.connected, schedule: untilThere }),
            Effect.ignore
          )
        )
      case "SayOrder":
        return lines.beside(bus.broadcast(queueOrder, { v: 1, waiting: command.waiting }))
      default: {
        const work = inLine(command)
        if (work !== null) lines.add(command._tag === "Dispatch" ? command.message.exportId : command.id, work)
      }
    }
  }

  return {
    execute,
    /** Whether rows are being read. */
    reads: (): boolean => asked > 0,
    /** `exportId.taskKey` of tasks that are on their way into the stream. */
    unsent: (): ReadonlySet<string> => new Set(latest.keys()),
    /** Ends, with its cause, when anything that this does on its own has died. */
    broken: announcements.broken
  }
})
