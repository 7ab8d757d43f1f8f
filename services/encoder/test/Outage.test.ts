import { assert, describe, it } from "@effect/vitest"
import { poolConsumer, resultsConsumer, TASKS } from "@reelay/contracts/messages/Topology"
import { taskManifest } from "@reelay/contracts/ObjectKeys"
import { startNats } from "@reelay/platform/embedded/Nats"
import { Infra } from "@reelay/platform/testing/Infra"
import { ConfigProvider, Context, Effect, Layer, Queue, Stream } from "effect"
import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { ACK_WAIT, aPlan, aSource, Farm, startEncoder, tasksOf, USER } from "./support/Farm.ts"
import { temporary } from "./support/Harness.ts"

const PASSWORDS = { scheduler: "s", api: "a", encoder: "e", notifier: "n" }

/** A nats-server of the test's own, which it may kill, wipe and start again. */
class Server extends Context.Service<
  Server,
  {
    readonly kill: Effect.Effect<void>
    readonly wipe: Effect.Effect<void>
    readonly start: Effect.Effect<void>
  }
>()("@reelay/encoder/test/Server") {}

const world = Layer.unwrap(
  Effect.gen(function* () {
    const folder = yield* temporary
    const store = join(folder, "store")
    const dataDirectory = join(folder, "nats")
    yield* Effect.promise(() => mkdir(store))
    let server = yield* startNats({ dataDirectory, port: 0, passwords: PASSWORDS })
    yield* Effect.addFinalizer(() => server.kill)
    const { environment, port, url } = server
    const infra = Infra.of({
      databaseUrl: "",
      natsUrl: url,
      store,
      folder,
      environment: (role) => ({ REELAY_STORE: store, REELAY_STORE_RESERVE_BYTES: "0", ...environment(role) })
    })
    const own = Server.of({
      kill: Effect.suspend(() => server.kill),
      wipe: Effect.promise(() => rm(dataDirectory, { recursive: true })),
      start: startNats({ dataDirectory, port, passwords: PASSWORDS }).pipe(
        Effect.map((started) => void (server = started)),
        Effect.orDie
      )
    })
    return Farm.bare.pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          Layer.succeed(Infra, infra),
          Layer.succeed(Server, own),
          ConfigProvider.layer(ConfigProvider.fromUnknown(infra.environment("scheduler")))
        )
      )
    )
  })
)

describe("NATS goes away while a task is encoded", () => {
  for (const wiped of [false, true]) {
    it.live(
      `${wiped ? "and comes back with nothing" : "and comes back"}: the result is told all the same, and made once`,
      () =>
        Effect.gen(function* () {
          const farm = yield* Farm
          const nats = yield* Server
          const { capabilities, claim } = yield* startEncoder()
          const source = yield* aSource({ silent: true })
          const target = { width: 640, height: 360 }
          const plan = yield* aPlan({ source, clips: [{ end: 2 }], build: capabilities.build, target })
          const [chunk] = tasksOf(plan, "chunk")
          if (chunk === undefined) throw new Error("a chunk was planned")
          yield* farm.dispatch(plan, chunk)
          yield* claim.changes.pipe(
            Stream.mapEffect(() => claim.load),
            Stream.filter((load) => load.tasks.length === 1),
            Stream.runHead
          )
          yield* nats.kill
          while ((yield* farm.store.head(taskManifest(USER, chunk.key))) === null) yield* Effect.sleep("20 millis")
          const made = yield* farm.store.getBytes(taskManifest(USER, chunk.key))
          if (wiped) yield* nats.wipe
          yield* nats.start
          if (wiped) {
            // The scheduler's part: streams and consumers anew.
            yield* farm.bus.connections.pipe(Stream.take(1), Stream.runDrain)
            while ((yield* Effect.exit(farm.bus.ensureTopology))._tag === "Failure") yield* Effect.sleep("20 millis")
            yield* farm.bus.ensureConsumer(resultsConsumer)
            yield* farm.bus.ensureConsumer(poolConsumer(chunk.pool, ACK_WAIT))
          }
          const result = yield* Queue.take(farm.results)
          assert.deepStrictEqual([result.task, result.outcome._tag], [chunk.key, "Done"])
          while ((yield* farm.bus.subjects(TASKS, "tasks.>")).length > 0) yield* Effect.sleep("20 millis")
          yield* claim.idle
          assert.deepStrictEqual(yield* farm.store.getBytes(taskManifest(USER, chunk.key)), made)
        }).pipe(Effect.provide(world))
    )
  }
})
