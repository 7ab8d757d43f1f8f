import type { Progress } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import { exportProgress, queueOrder } from "@reelay/contracts/messages/Messages"
import { PROGRESS } from "@reelay/contracts/messages/Topology"
import type { Node } from "@reelay/contracts/Node"
import { Clock, Context, DateTime, Effect, Layer, PubSub, Schedule, Stream } from "effect"
import { Bus } from "./Bus.ts"
import { FarmView } from "./FarmView.ts"
import type { FarmChange } from "./FarmView.ts"
import type { Live } from "./Rows.ts"

/** Changes that a slow listener has not taken yet; beyond these the oldest are dropped for it. */
const CHANGES_KEPT = 8192

/**
 * The farm as it is now, in memory, from listening to NATS: progress, queue positions, nodes, whether a scheduler lives.
 * It is a view and never the truth: empty after a start, filled within seconds, and whole again by itself after NATS
 * was restarted or wiped.
 */
export class LiveFarm extends Context.Service<
  LiveFarm,
  {
    /** Of what waits or runs; null when nothing is known. Of which epoch it is, it says itself. */
    progressOf(id: ExportId): Effect.Effect<Progress | null>
    /** 1 is next; null when it does not wait. */
    queuePosition(id: ExportId): Effect.Effect<number | null>
    /** Both, and whether the queue is paused, as Rows.exportOf wants them. */
    liveOf(id: ExportId): Effect.Effect<Live>
    /** Sorted by id. Who has been silent for NODE_TTL is `gone`, and forgotten ten minutes later. */
    readonly nodes: Effect.Effect<ReadonlyArray<Node>>
    /** Whether a scheduler spoke within the last 15 s. */
    readonly schedulerSeen: Effect.Effect<boolean>
    /** From now on. A listener that falls far behind misses the oldest. */
    readonly changes: Stream.Stream<FarmChange>
  }
>()("@reelay/platform/LiveFarm") {
  static readonly layer = Layer.effect(
    LiveFarm,
    Effect.gen(function* () {
      const bus = yield* Bus
      const view = new FarmView()
      const changes = yield* PubSub.sliding<FarmChange>(CHANGES_KEPT)
      const monotonicSeconds = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e9)

      const learn = (look: (now: number) => ReadonlyArray<FarmChange>) =>
        Effect.flatMap(monotonicSeconds, (now) => PubSub.publishAll(changes, look(now)))

      yield* bus.watch(PROGRESS, exportProgress).pipe(
        Stream.runForEach(({ body }) => learn((now) => view.onProgress(body, now))),
        Effect.forkScoped
      )
      yield* bus.watch(PROGRESS, queueOrder).pipe(
        Stream.runForEach(({ body, snapshot }) => learn((now) => view.onQueue(body, snapshot, now))),
        Effect.forkScoped
      )
      yield* bus.nodes.pipe(
        Stream.runForEach(
          Effect.fnUntraced(function* ({ advertisement, id }) {
            const wallClock = yield* DateTime.now
            yield* learn((now) => view.onNode(id, advertisement, now, wallClock))
          })
        ),
        Effect.forkScoped
      )
      yield* learn((now) => view.onTick(now)).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped)

      return LiveFarm.of({
        progressOf: (id) => Effect.sync(() => view.progressOf(id)),
        queuePosition: (id) => Effect.sync(() => view.queuePosition(id)),
        liveOf: (id) =>
          Effect.sync(() => ({
            progress: view.progressOf(id),
            queuePosition: view.queuePosition(id),
            paused: view.paused
          })),
        nodes: Effect.map(monotonicSeconds, (now) => view.nodes(now)),
        schedulerSeen: Effect.map(monotonicSeconds, (now) => view.schedulerSeen(now)),
        changes: Stream.fromPubSub(changes)
      })
    })
  )
}
