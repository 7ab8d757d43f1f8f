import type { ExportId } from "@reelay/contracts/Ids"
import { control, exportProgress, queueOrder, taskMessage } from "@reelay/contracts/messages/Messages"
import { poolConsumer, TASKS } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { findManifest } from "@reelay/platform/Manifests"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import { Effect, Exit, Metric, Queue, Schedule, Semaphore } from "effect"
import { makeAnnouncements } from "./Announcements.ts"
import type { Command, Event } from "./Events.ts"
import { Ledger } from "./Ledger.ts"
import type { Lines, Work } from "./Lines.ts"
import { disown, linkOutputs, unlinkOutputs } from "./Outputs.ts"
import { load, makePlanner } from "./Planner.ts"
import type { AsOf, Post } from "./Post.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"
import { makeWrites } from "./Writes.ts"

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

/** Plans read, outputs linked at once: each holds a plan or a manifest in memory. */
const HEAVY = 16
/** Rows of one read. */
const READ = 500
/** Tasks of one publish. */
const TOGETHER = 256

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
  const writes = yield* makeWrites(lines, post)
  const announcements = yield* makeAnnouncements
  const heavy = yield* Semaphore.make(HEAVY)
  const plan = yield* makePlanner(lines, post)
  const send = lines.batch({
    most: TOGETHER,
    run: Effect.fnUntraced(function* (sent: ReadonlyArray<Of<"Dispatch">>) {
      const again = sent.filter((command) => command.again).length
      yield* Metric.update(dispatches, sent.length - again)
      yield* Metric.update(redispatches, again)
      // What did not get out is found missing at the next look at the stream.
      yield* bus
        .publishAll(
          taskMessage,
          sent.map(({ message }) => message)
        )
        .pipe(Effect.ignore)
      return sent.map(() => Exit.void)
    }),
    isForAll: () => true
  })
  const reports = yield* Queue.unbounded<Of<"Report">>()
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
    return yield* findManifest(store, user, task).pipe(
      Effect.map((reading): Event => {
        const manifest = reading._tag === "Done" ? reading.manifest : null
        // A newer encoder's: its word will be read by a newer scheduler.
        return { _tag: "Looked", id, epoch, task, manifest, failed: reading._tag === "Newer" }
      }),
      Effect.catch((error) =>
        Effect.logWarning("the store does not say whether a task is done", error).pipe(
          Effect.as<Event>({ _tag: "Looked", id, epoch, task, manifest: null, failed: true })
        )
      )
    )
  })

  const link = Effect.fnUntraced(function* (command: Extract<Command, { readonly _tag: "Link" }>) {
    const { epoch, id, manifest, token, user } = command
    return yield* linkOutputs(store, command).pipe(
      Effect.map((outputs): Event => ({ _tag: "Linked", id, token, epoch, user, outputs })),
      Effect.catch((error) =>
        Effect.gen(function* () {
          yield* Effect.logWarning("outputs cannot be put in place", error)
          const vanished = error.reason === "not_found"
          // Before anybody plans anew: a plan made by that manifest would end here again.
          if (vanished) yield* disown(store, user, manifest.key)
          return { _tag: "LinkFailed", id, token, epoch, user, vanished } satisfies Event
        }).pipe(
          Effect.catch((again) =>
            Effect.logWarning("a manifest whose files are gone stays", again).pipe(
              Effect.as<Event>({ _tag: "LinkFailed", id, token, epoch, user, vanished: false })
            )
          ),
          Effect.annotateLogs({ exportId: id })
        )
      )
    )
  })

  const saying = Effect.gen(function* () {
    for (const { id, progress, user } of yield* Queue.takeAll(reports)) {
      yield* bus.broadcast(exportProgress, { v: 1, exportId: id, userId: user, progress })
    }
  })
  lines.beside(Effect.forever(saying))

  const inLine = (command: Command): Work | null => {
    switch (command._tag) {
      case "Start":
      case "Complete":
      case "Fail":
        return writes.write(command)
      case "RecordAttempt":
        return lines.work(writes.recordAttempt(command))
      case "Dispatch": {
        const { message } = command
        const task = `${message.exportId}.${message.task}`
        latest.set(task, message.dispatch)
        return (done) => {
          if (latest.get(task) !== message.dispatch) return done()
          send(command, () => {
            if (latest.get(task) === message.dispatch) latest.delete(task)
            done()
          })
        }
      }
      case "Purge":
        return lines.work(bus.purge(TASKS, command.subject).pipe(Effect.ignore))
      case "Stop":
        return lines.work(bus.broadcast(control, { _tag: "Cancel", v: 1, exportId: command.id, epoch: command.epoch }))
      case "Unlink":
        return lines.work(
          unlinkOutputs(store, command).pipe(
            Effect.retry(aWhile),
            Effect.catch((error) => Effect.logWarning("links that nobody needs stay", error))
          )
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
      case "Report":
        return void Queue.offerUnsafe(reports, command)
      case "Plan":
        return plan(command)
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
        return lines.beside(bus.broadcast(queueOrder, { v: 1, waiting: command.waiting, paused: command.paused }))
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
