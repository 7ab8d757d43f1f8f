import { type ExportId, newId, NodeId, type TaskKey, UserId } from "@reelay/contracts/Ids"
import { ExportId as ExportIds } from "@reelay/contracts/Ids"
import { taskMessage, taskResult, type TaskMessage, type TaskResult } from "@reelay/contracts/messages/Messages"
import { poolConsumer, resultsConsumer } from "@reelay/contracts/messages/Topology"
import { planObject } from "@reelay/contracts/ObjectKeys"
import { Plan, type PoolName, type Task } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Capabilities } from "@reelay/encoder/Capabilities"
import { Claim } from "@reelay/encoder/Claim"
import { Drain } from "@reelay/encoder/Drain"
import * as Encoder from "@reelay/encoder/Encoder"
import type { EncoderSettings } from "@reelay/encoder/EncoderConfig"
import { Bus } from "@reelay/platform/Bus"
import { ObjectStore } from "@reelay/platform/ObjectStore"
import * as ObjectStoreDirectory from "@reelay/platform/ObjectStoreDirectory"
import { Infra } from "@reelay/platform/testing/Infra"
import { compile } from "@reelay/render/Compile"
import { ConfigProvider, Context, Effect, Layer, Queue, Schema, Stream } from "effect"
import { execa } from "execa"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { ingest, type Ingested } from "../../../../libs/render/test/Ingest.ts"
import { type ClipSketch, specOf, unfolded } from "../../../../libs/render/test/Specs.ts"
import { settingsWith, temporary } from "./Harness.ts"

export const USER = UserId.make("someone")
/** Short, so that lost tasks come back while a test waits. */
export const ACK_WAIT = 2

/**
 * What surrounds encoders in a test: real NATS with all streams, a real store, and the scheduler's hand: it dispatches
 * tasks and reads results.
 */
export class Farm extends Context.Service<
  Farm,
  {
    /** The scheduler's. */
    readonly bus: Bus["Service"]
    readonly store: ObjectStore["Service"]
    readonly results: Queue.Queue<TaskResult>
    /** Consumers for these pools, with an ack wait in seconds. */
    ensurePools(pools: ReadonlyArray<PoolName>, ackWait?: number): Effect.Effect<void>
    dispatch(plan: Plan, task: Task, some?: Partial<TaskMessage>): Effect.Effect<TaskMessage>
  }
>()("@reelay/encoder/test/Farm") {
  static readonly bare = Layer.effect(
    Farm,
    Effect.gen(function* () {
      const bus = yield* Bus
      const store = yield* ObjectStore
      yield* bus.connections.pipe(Stream.take(1), Stream.runDrain)
      yield* bus.ensureTopology.pipe(Effect.orDie)
      yield* bus.ensureConsumer(resultsConsumer).pipe(Effect.orDie)
      const results = yield* Queue.unbounded<TaskResult>()
      yield* bus.consume(resultsConsumer, taskResult, { maxInFlight: 16 }).pipe(
        Stream.runForEach((delivery) =>
          delivery.ack.pipe(Effect.ignore, Effect.andThen(Queue.offer(results, delivery.body)))
        ),
        Effect.forkScoped
      )
      let dispatches = 0
      return Farm.of({
        bus,
        store,
        results,
        ensurePools: (pools, ackWait = ACK_WAIT) =>
          Effect.forEach(pools, (pool) => bus.ensureConsumer(poolConsumer(pool, ackWait)), { discard: true }).pipe(
            Effect.orDie
          ),
        dispatch: Effect.fnUntraced(function* (plan, task, some = {}) {
          const message: TaskMessage = {
            v: 1,
            exportId: plan.exportId,
            userId: USER,
            epoch: 1,
            pool: task.pool,
            task: task.key,
            dispatch: `d${++dispatches}`,
            plan: planObject(USER, plan.exportId, 1),
            excludes: [],
            ...some
          }
          yield* bus.publish(taskMessage, message).pipe(Effect.orDie)
          return message
        })
      })
    })
  ).pipe(Layer.provide([Layer.fresh(Bus.layer), Layer.fresh(ObjectStoreDirectory.layer)]))

  static readonly layer = Farm.bare.pipe(Layer.provideMerge(Infra.layer))
}

/** An encoder of its own in this process, with the permissions of one, for the scope's length. */
export const startEncoder = Effect.fn("startEncoder")(function* (
  settings: Partial<EncoderSettings> = {},
  environment: Readonly<Record<string, string>> = {}
) {
  const infra = yield* Infra
  const farm = yield* Farm
  const context = yield* Layer.build(
    Layer.fresh(Encoder.layer).pipe(
      Layer.provide(settingsWith({ forceSoftware: true, slots: 2, ackWaitSeconds: ACK_WAIT, ...settings })),
      Layer.provide([Layer.fresh(Bus.layer), Layer.fresh(ObjectStoreDirectory.layer)]),
      Layer.provide(
        ConfigProvider.layer(ConfigProvider.fromUnknown({ ...infra.environment("encoder"), ...environment }))
      )
    )
  )
  const capabilities = Context.get(context, Capabilities)
  yield* farm.ensurePools([...(yield* capabilities.videoPools), capabilities.lightPool])
  return { capabilities, claim: Context.get(context, Claim), drain: Context.get(context, Drain) }
})

/** A small film of a test picture, with a tone unless it is silent. */
export const aSource = Effect.fn("aSource")(function* (
  film: { readonly frames?: number; readonly silent?: boolean; readonly colors?: "bt709" } = {}
) {
  const folder = yield* temporary
  const { colors, frames = 50, silent = false } = film
  const tags = colors === undefined ? "" : `-colorspace ${colors} -color_primaries ${colors} -color_trc ${colors}`
  const path = join(folder, "source.mp4")
  const words =
    `-v error -f lavfi -i testsrc2=size=96x64:rate=25 ${silent ? "" : "-f lavfi -i sine=frequency=440 -shortest"}`
    + ` -frames:v ${frames} ${tags} -c:v libx264 -preset ultrafast -g 50 -bf 2 -pix_fmt yuv420p`
  return yield* Effect.promise(async () => {
    await execa("ffmpeg", [...words.split(/ +/), path])
    return ingest(path)
  })
})

const PlanJson = Schema.fromJsonString(Plan)

/** Freezes, compiles and stores a plan of one source, which lies in the store as `source-0`, or where it is (`inPlace`). */
export const aPlan = Effect.fn("aPlan")(function* (input: {
  readonly source: Ingested
  readonly clips: ReadonlyArray<ClipSketch>
  readonly build: Plan["build"]
  readonly family?: Plan["family"]
  readonly target?: Partial<RenderSpec["target"]>
  readonly delivery?: RenderSpec["delivery"]
  readonly type?: RenderSpec["type"]
  readonly location?: RenderSpec["sources"][number]["location"]
  readonly exportId?: ExportId
  /** As the planner would have it, for clips as short as these. Else every operation is a task. */
  readonly inOnePass?: boolean
}) {
  const { store } = yield* Farm
  const sketch = specOf([input.source], input.clips, input.target, {
    tenant: USER,
    delivery: input.delivery ?? "combined"
  })
  const [source] = sketch.sources
  if (source === undefined) throw new Error("a spec has a source")
  // Fresh bytes to the cache: no test finds what another made.
  const exportId = input.exportId ?? newId(ExportIds)
  const sha256 = exportId.replaceAll("-", "").padStart(64, "0")
  const key = `sources/test/${exportId}/media`
  const location = input.location ?? { _tag: "object" as const, key }
  const spec = Schema.decodeUnknownSync(Schema.toType(Plan.fields.spec))({
    ...sketch,
    type: input.type ?? "framing",
    sources: [{ ...source, sha256, location }]
  })
  if (location._tag === "object") {
    const bytes = yield* Effect.promise(() => readFile(input.source.path))
    yield* store.put(location.key, Stream.make(new Uint8Array(bytes))).pipe(Effect.orDie)
  }
  const planned = compile({
    exportId,
    spec,
    family: input.family ?? "software",
    build: input.build,
    indexes: new Map([["index-0", input.source.index]])
  })
  const plan = input.inOnePass === true ? planned : unfolded(planned)
  yield* storePlan(plan)
  return plan
})

export const storePlan = Effect.fn("storePlan")(function* (plan: Plan) {
  const { store } = yield* Farm
  const text = yield* Schema.encodeEffect(PlanJson)(plan).pipe(Effect.orDie)
  yield* store.put(planObject(USER, plan.exportId, 1), Stream.make(new TextEncoder().encode(text))).pipe(Effect.orDie)
})

export const tasksOf = (plan: Plan, kind: Task["work"]["_tag"]): ReadonlyArray<Task> =>
  plan.tasks.filter((task) => task.work._tag === kind)

export const nextResult = Effect.gen(function* () {
  const farm = yield* Farm
  return yield* Queue.take(farm.results)
})

/** Every task of a plan in the order of its needs, as a scheduler would; the results by key. */
export const runPlan = Effect.fn("runPlan")(function* (plan: Plan) {
  const farm = yield* Farm
  const results = new Map<TaskKey, TaskResult>()
  const sent = new Set<TaskKey>()
  while (results.size < plan.tasks.length) {
    for (const task of plan.tasks) {
      if (sent.has(task.key) || !task.needs.every((key) => results.get(key)?.outcome._tag === "Done")) continue
      sent.add(task.key)
      yield* farm.dispatch(plan, task)
    }
    const result = yield* Queue.take(farm.results)
    results.set(result.task, result)
    if (result.outcome._tag !== "Done") return results
  }
  return results
})

export const nodeId = (name: string): NodeId => NodeId.make(name)

/** What a result says, of one that is expected to say so. */
export const doneBy = (result: TaskResult) => {
  if (result.outcome._tag !== "Done") throw new Error(JSON.stringify(result.outcome))
  return result.outcome
}
export const failure = (result: TaskResult) => {
  if (result.outcome._tag !== "Failed") throw new Error(JSON.stringify(result.outcome))
  return result.outcome
}
