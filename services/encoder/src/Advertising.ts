import { NODE_TTL } from "@reelay/contracts/messages/Topology"
import type { Advertisement } from "@reelay/contracts/Node"
import { Bus } from "@reelay/platform/Bus"
import { DateTime, Duration, Effect, Layer, Schema, Stream } from "effect"
import { readFileSync } from "node:fs"
import { Capabilities } from "./Capabilities.ts"
import { Claim } from "./Claim.ts"
import { EncoderConfig } from "./EncoderConfig.ts"

const Package = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))
const { version } = Schema.decodeUnknownSync(Package)(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

/** Changes come in bursts (a task ends, the next begins): one message says them all, and everybody reads each. */
const BURST = Duration.millis(500)

/**
 * Says what this node is and does: at each change, every third of the time after which it would be taken for gone, and
 * anew to each NATS it meets. At the end it takes its word back.
 */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* EncoderConfig
    const bus = yield* Bus
    const claim = yield* Claim
    const capabilities = yield* Capabilities
    const startedAt = yield* DateTime.now

    const advertise = Effect.gen(function* () {
      const { accepting, lightSlots, slots, tasks } = yield* claim.load
      const advertisement: Advertisement = {
        v: 1,
        id: settings.nodeId,
        host: settings.host,
        version,
        build: capabilities.build,
        status: accepting ? "active" : "draining",
        families: yield* capabilities.families,
        pools: [...(yield* capabilities.videoPools), capabilities.lightPool],
        slots,
        lightSlots,
        tasks,
        labels: settings.labels,
        startedAt
      }
      // Without NATS nobody could hear it; it is said again when there is one.
      yield* bus.advertise(advertisement).pipe(Effect.ignore)
    })

    yield* Effect.addFinalizer(() => bus.withdraw(settings.nodeId).pipe(Effect.timeout("2 seconds"), Effect.ignore))
    const beat = Stream.tick(Duration.seconds(NODE_TTL / 3))
    yield* Stream.mergeAll([claim.changes, capabilities.changes, bus.connections, beat], {
      concurrency: "unbounded"
    }).pipe(
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.runForEach(() => advertise.pipe(Effect.andThen(Effect.sleep(BURST)))),
      Effect.forkScoped
    )
  })
)
