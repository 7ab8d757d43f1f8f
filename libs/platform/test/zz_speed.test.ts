import { it } from "@effect/vitest"
import { taskResult } from "@reelay/contracts/messages/Messages"
import { resultsConsumer } from "@reelay/contracts/messages/Topology"
import { Effect, Stream } from "effect"
import { aResult, Lab } from "./BusLab.ts"
it.live("speed", () => Effect.gen(function*() {
  const lab = yield* Lab
  const s = yield* lab.bus("scheduler")
  yield* s.ensureConsumer(resultsConsumer)
  const N = 5000
  let t = performance.now()
  yield* Effect.forEach(Array.from({length: N}, () => aResult()), (r) => s.publish(taskResult, r), { concurrency: 50, discard: true })
  console.log("publish/s", N / (performance.now() - t) * 1000)
  t = performance.now()
  yield* s.consume(resultsConsumer, taskResult, { maxInFlight: 64 }).pipe(Stream.mapEffect((d) => d.ack, { concurrency: 64, unordered: true }), Stream.take(N), Stream.runDrain)
  console.log("consume+ack/s", N / (performance.now() - t) * 1000)
  yield* Effect.forEach(Array.from({length: 1000}, () => aResult()), (r) => s.publish(taskResult, r), { concurrency: 50, discard: true })
  t = performance.now()
  for (let i = 0; i < 1000; i++) { const d = yield* s.pull(resultsConsumer, taskResult, 1000); yield* d!.ack }
  console.log("pull+ack one by one/s", 1000 / (performance.now() - t) * 1000)
}).pipe(Effect.provide(Lab.layer)), 120000)
