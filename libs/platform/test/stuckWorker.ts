import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { taskMessage } from "@reelay/contracts/messages/Messages"
import { poolConsumer } from "@reelay/contracts/messages/Topology"
import { PoolName } from "@reelay/contracts/Plan"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Stream } from "effect"

/** Run by a test as a process of its own: takes one task of a pool, says so, and hangs until it is killed. */
const [pool = "", ackWait = ""] = process.argv.slice(2)

Effect.gen(function* () {
  const bus = yield* Bus
  yield* bus.connections.pipe(Stream.take(1), Stream.runDrain)
  const held = yield* bus.pull(poolConsumer(PoolName.make(pool), Number(ackWait)), taskMessage, 10_000)
  if (held !== null) process.stdout.write(`holding ${held.body.task}\n`)
  return yield* Effect.never
}).pipe(Effect.provide(Bus.layer), NodeRuntime.runMain)
