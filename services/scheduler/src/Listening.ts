import type { ExportId } from "@reelay/contracts/Ids"
import type { Progress } from "@reelay/contracts/Export"
import { control, exportProgress, exportRequested, taskProgress, taskResult } from "@reelay/contracts/messages/Messages"
import { PROGRESS, requestsConsumer, resultsConsumer } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Option, Schedule, Stream } from "effect"
import { Ledger } from "./Ledger.ts"
import type { Post } from "./Post.ts"
import { SchedulerConfig } from "./SchedulerConfig.ts"

/** Unsettled at once. */
const DOORBELLS = 512
const RESULTS = 512
/** How long a new leader waits for what its forerunners published, before it begins without. */
const FLOORS_WAIT = "2 seconds"
/** How long results wait for it to know what runs: a store or a row that does not answer must not stop everyone. */
const INFORMED_WAIT = "10 seconds"
/** Looks of the reconciler between two times that streams and consumers are made sure of. */
const SURE_EVERY = 10

/** Percentages that were said before this term began: none may fall behind them. */
export const readFloors = Effect.gen(function* () {
  const bus = yield* Bus
  const floors = new Map<ExportId, Progress>()
  yield* bus.subjects(PROGRESS, exportProgress.filter).pipe(
    Effect.filterOrFail(
      (subjects) => subjects.length > 0,
      () => "empty" as const
    ),
    Effect.andThen(
      bus.watch(PROGRESS, exportProgress).pipe(
        Stream.takeUntil(({ caughtUp }) => caughtUp),
        Stream.runForEach(({ body }) => Effect.sync(() => floors.set(body.exportId, body.progress)))
      )
    ),
    Effect.timeoutOption(FLOORS_WAIT),
    Effect.ignore
  )
  return floors
})

/**
 * Everything that is said on NATS becomes an event. The streams never end; the scope ends them. Results wait until the
 * new leader knows what runs: a failure of an export that it has not heard of would be acknowledged and on no record.
 */
export const listen = Effect.fnUntraced(function* (post: Post, connected: () => void, informed: Effect.Effect<void>) {
  const bus = yield* Bus
  const ledger = yield* Ledger
  const { reconcileMillis } = yield* SchedulerConfig

  const readPaused = ledger.paused.pipe(
    Effect.map((paused) => post({ _tag: "Paused", paused })),
    Effect.ignore
  )

  // The row is the request: a doorbell has done its part once it was heard.
  const doorbells = bus.consume(requestsConsumer, exportRequested, { maxInFlight: DOORBELLS }).pipe(
    Stream.map(({ body, settle }) => {
      for (const id of [body.exportId, ...(body.others ?? [])]) post({ _tag: "Rang", id })
      settle()
    })
  )

  const results = Stream.fromEffect(informed.pipe(Effect.timeoutOption(INFORMED_WAIT))).pipe(
    Stream.flatMap(() => bus.consume(resultsConsumer, taskResult, { maxInFlight: RESULTS })),
    Stream.map(({ body, settle }) => post({ _tag: "Result", result: body }, settle))
  )

  const controls = bus.subscribe(control).pipe(
    Stream.mapEffect((message) => {
      // Those with an epoch are our own.
      if (message._tag === "Cancel" && message.epoch === undefined) post({ _tag: "Rang", id: message.exportId })
      return message._tag === "Queue" ? readPaused : Effect.void
    })
  )

  const progress = bus.subscribe(taskProgress).pipe(Stream.map((body) => post({ _tag: "Progressed", progress: body })))

  const nodes = bus.nodes.pipe(
    Stream.map(({ advertisement, id }) =>
      post(advertisement === null ? { _tag: "NodeLeft", id } : { _tag: "NodeSeen", advertisement })
    )
  )

  // Again and again, too: somebody may remove one of them from a server that goes on.
  const sometimes = Stream.tick(SURE_EVERY * reconcileMillis).pipe(
    Stream.drop(1),
    Stream.filterEffect(() => bus.connected)
  )
  const connections = Stream.merge(bus.connections, sometimes).pipe(
    Stream.mapEffect(() =>
      bus.ensureTopology.pipe(
        Effect.andThen(bus.ensureConsumer(requestsConsumer)),
        Effect.andThen(bus.ensureConsumer(resultsConsumer)),
        Effect.tapError((error) => Effect.logWarning("streams cannot be made sure of yet", error)),
        // As long as there is a connection: to give up on one would be a farm without streams. The next begins anew.
        Effect.retry({ while: () => bus.connected, schedule: Schedule.spaced("1 second") }),
        Effect.option,
        Effect.map((done) => {
          if (Option.isNone(done)) return
          post({ _tag: "Reconnected" })
          connected()
        })
      )
    )
  )

  const drain = <A>(stream: Stream.Stream<A>) => Stream.runDrain(stream)
  yield* Effect.all(
    [readPaused, drain(connections), drain(doorbells), drain(results), drain(controls), drain(progress), drain(nodes)],
    { concurrency: "unbounded", discard: true }
  )
})
