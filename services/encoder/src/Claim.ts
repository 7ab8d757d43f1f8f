import type { ExportId } from "@reelay/contracts/Ids"
import { type Outcome, taskMessage, type TaskMessage, taskResult } from "@reelay/contracts/messages/Messages"
import { poolConsumer } from "@reelay/contracts/messages/Topology"
import type { Advertisement } from "@reelay/contracts/Node"
import type { PoolName } from "@reelay/contracts/Plan"
import { Bus, type Delivery } from "@reelay/platform/Bus"
import {
  Context,
  Deferred,
  Duration,
  Effect,
  FiberMap,
  FiberSet,
  Layer,
  Metric,
  Random,
  Schedule,
  Stream,
  SubscriptionRef
} from "effect"
import { Capabilities } from "./Capabilities.ts"
import { EncoderConfig } from "./EncoderConfig.ts"
import { type Lane, makeLane, type Ticket } from "./Lane.ts"
import { type Settlement, Worker } from "./Worker.ts"

/** What the advertisement says of the work. */
export interface Load {
  readonly accepting: boolean
  readonly slots: Advertisement["slots"]
  readonly lightSlots: Advertisement["lightSlots"]
  readonly tasks: Advertisement["tasks"]
}

interface Running {
  readonly message: TaskMessage
  readonly cancelled: Deferred.Deferred<void>
  readonly handedBack: Deferred.Deferred<void>
}

const settledTasks = Metric.counter("reelay_tasks_total", {
  description: "Tasks that this encoder reported, by outcome",
  incremental: true
})

const nothing = <A>(stream: Stream.Stream<A>): Stream.Stream<void> => Stream.map(stream, () => undefined)

const PULL_MILLIS = 20_000
/** For a task that failed here, or wants other labels: time for another node to take it, before it is offered to this one again. */
const EXCLUDED_MILLIS = { from: 500, to: 1000 }
const RETRY_PULL = { first: 100, longest: 2000 }
const UNTIL_TAKEN = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")])

/**
 * Takes as many tasks as this node can carry and no more. While a lane has a free slot, one request is out for each of
 * its pools; the moment it is full all requests are withdrawn, and a message that slips in goes back at once.
 */
export class Claim extends Context.Service<
  Claim,
  {
    readonly load: Effect.Effect<Load>
    /** An element at each change of the load. */
    readonly changes: Stream.Stream<void>
    /** Stops an export's tasks (of that epoch and older, if one is given) and reports them cancelled. */
    cancel(exportId: ExportId, epoch: number | undefined): Effect.Effect<void>
    /** Whether new tasks are taken. */
    accept(accepting: boolean): Effect.Effect<void>
    /** Takes nothing new, whatever anybody says from now on: this process ends. */
    readonly retire: Effect.Effect<void>
    /** Stops all running tasks and gives them back. Returns when that is done. */
    readonly handBack: Effect.Effect<void>
    /** Returns when nothing runs. */
    readonly idle: Effect.Effect<void>
  }
>()("@reelay/encoder/Claim") {
  static readonly layer = Layer.effect(
    Claim,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const bus = yield* Bus
      const worker = yield* Worker
      const capabilities = yield* Capabilities
      const video = yield* makeLane(yield* capabilities.videoSlots)
      const light = yield* makeLane(settings.lightSlots)
      const running = yield* SubscriptionRef.make<ReadonlySet<Running>>(new Set())
      const accepting = yield* SubscriptionRef.make(true)
      const fibers = yield* FiberSet.make()

      const edit = (f: (set: Set<Running>) => void) =>
        SubscriptionRef.update(running, (before) => {
          const set = new Set(before)
          f(set)
          return set
        })

      /** Until the server has the result: it is the only word the scheduler gets of this task. */
      const reportTo = Effect.fnUntraced(function* (delivery: Delivery<TaskMessage>, outcome: Outcome) {
        const { dispatch, epoch, exportId, pool, task } = delivery.body
        yield* bus
          .publish(taskResult, { v: 1, exportId, epoch, task, dispatch, nodeId: settings.nodeId, pool, outcome })
          .pipe(Effect.retry(UNTIL_TAKEN), Effect.ignore)
        yield* Metric.update(Metric.withAttributes(settledTasks, { outcome: outcome._tag }), 1)
        // Unacknowledged it comes again, and is found done: that costs a look-up.
        yield* delivery.ack.pipe(
          Effect.retry(Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 4 }))),
          Effect.catch((error) => Effect.logDebug("An ack was not confirmed", error.message))
        )
      })

      const execute = Effect.fn("Claim.execute")(function* (
        delivery: Delivery<TaskMessage>,
        lane: Lane,
        ticket: Ticket,
        self: Running
      ) {
        yield* delivery.working.pipe(
          Effect.andThen(Effect.sleep(Duration.seconds(Math.min(1, settings.ackWaitSeconds / 4)))),
          Effect.forever,
          Effect.forkScoped
        )
        const cancelled: Settlement = { _tag: "Report", outcome: { _tag: "Cancelled" } }
        const handedBack: Settlement = { _tag: "GiveBack", delayMillis: 0, why: "handed back" }
        const settlement = yield* Effect.raceAllFirst([
          worker.perform(delivery.body, (weight) => lane.grow(ticket, weight)),
          Deferred.await(self.cancelled).pipe(Effect.as(cancelled)),
          Deferred.await(self.handedBack).pipe(Effect.as(handedBack))
        ])
        // The slot is free as soon as the work is done: the next claim need not wait for the report.
        yield* lane.release(ticket)
        const rest: Settlement =
          settlement._tag === "GiveBack"
            ? settlement
            : yield* Effect.raceFirst(
                reportTo(delivery, settlement.outcome).pipe(Effect.as(settlement)),
                Deferred.await(self.handedBack).pipe(Effect.as(handedBack))
              )
        if (rest._tag === "GiveBack") {
          yield* Effect.logDebug("A task is given back", { task: delivery.body.task, why: rest.why })
          yield* delivery.giveBack(rest.delayMillis)
        }
      }, Effect.scoped)

      const receive = Effect.fnUntraced(function* (delivery: Delivery<TaskMessage>, lane: Lane) {
        const { excludes, labels = [] } = delivery.body
        if (excludes.includes(settings.nodeId) || !labels.every((label) => settings.labels.includes(label))) {
          return yield* delivery.giveBack(
            Math.round(yield* Random.nextBetween(EXCLUDED_MILLIS.from, EXCLUDED_MILLIS.to))
          )
        }
        const ticket = yield* lane.take
        if (ticket === null) return yield* delivery.giveBack()
        const self: Running = {
          message: delivery.body,
          cancelled: Deferred.makeUnsafe(),
          handedBack: Deferred.makeUnsafe()
        }
        yield* edit((set) => void set.add(self))
        yield* FiberSet.run(
          fibers,
          Effect.interruptible(execute(delivery, lane, ticket, self)).pipe(
            Effect.ensuring(lane.release(ticket).pipe(Effect.andThen(edit((set) => void set.delete(self)))))
          )
        )
      })

      /** Once a message is in hand it is dealt with, whatever becomes of the request that brought it. */
      const pullOne = (pool: PoolName, lane: Lane) =>
        Effect.uninterruptibleMask((restore) =>
          restore(bus.pull(poolConsumer(pool, settings.ackWaitSeconds), taskMessage, PULL_MILLIS)).pipe(
            Effect.flatMap((delivery) => (delivery === null ? Effect.void : receive(delivery, lane)))
          )
        )
      const serve = Effect.fnUntraced(function* (pool: PoolName, lane: Lane) {
        let pause = RETRY_PULL.first
        while (true) {
          yield* lane.free
          yield* Effect.raceFirst(pullOne(pool, lane), lane.full).pipe(
            Effect.tap(() => Effect.sync(() => void (pause = RETRY_PULL.first))),
            // No connection, or the scheduler has not made the consumer yet: a matter of time.
            Effect.catch((error) =>
              Effect.logDebug("A pool cannot be pulled from", { pool, reason: error.message }).pipe(
                Effect.andThen(Effect.sleep(Duration.millis(pause))),
                Effect.andThen(Effect.sync(() => void (pause = Math.min(RETRY_PULL.longest, pause * 2))))
              )
            )
          )
        }
      })

      const pools = yield* FiberMap.make<PoolName>()
      const arrange = Effect.gen(function* () {
        yield* video.resize(yield* capabilities.videoSlots)
        const wanted = new Map<PoolName, Lane>((yield* capabilities.videoPools).map((pool) => [pool, video]))
        wanted.set(capabilities.lightPool, light)
        for (const [pool] of pools) if (!wanted.has(pool)) yield* FiberMap.remove(pools, pool)
        for (const [pool, lane] of wanted) yield* FiberMap.run(pools, pool, serve(pool, lane), { onlyIfMissing: true })
      })
      yield* arrange
      yield* capabilities.changes.pipe(
        Stream.runForEach(() => arrange),
        Effect.forkScoped
      )

      const slotsOf = (lane: Lane) => lane.slots.pipe(Effect.map(({ busy, total }) => ({ total, busy })))
      const load = Effect.gen(function* () {
        const tasks = [...(yield* SubscriptionRef.get(running))].map(
          ({ message: { epoch, exportId, pool, task } }) => ({ exportId, task, epoch, pool })
        )
        return {
          accepting: yield* SubscriptionRef.get(accepting),
          slots: yield* slotsOf(video),
          lightSlots: yield* slotsOf(light),
          tasks
        }
      })
      let retired = false
      const accept = Effect.fn("Claim.accept")(function* (wanted: boolean) {
        const value = wanted && !retired
        yield* SubscriptionRef.set(accepting, value)
        yield* video.setOpen(value)
        yield* light.setOpen(value)
      })
      const idle = SubscriptionRef.changes(running).pipe(
        Stream.filter((set) => set.size === 0),
        Stream.take(1),
        Stream.runDrain
      )

      return Claim.of({
        load,
        changes: Stream.mergeAll(
          [
            nothing(SubscriptionRef.changes(running)),
            nothing(SubscriptionRef.changes(accepting)),
            nothing(video.changes),
            nothing(light.changes)
          ],
          { concurrency: "unbounded" }
        ),
        cancel: Effect.fn("Claim.cancel")(function* (exportId, epoch) {
          for (const { cancelled, message } of yield* SubscriptionRef.get(running)) {
            if (message.exportId === exportId && message.epoch <= (epoch ?? Infinity))
              yield* Deferred.succeed(cancelled, undefined)
          }
        }),
        accept,
        retire: Effect.suspend(() => {
          retired = true
          return accept(false)
        }),
        handBack: Effect.gen(function* () {
          for (const { handedBack } of yield* SubscriptionRef.get(running))
            yield* Deferred.succeed(handedBack, undefined)
          yield* idle
        }),
        idle
      })
    })
  )
}
