import { assert, describe, it } from "@effect/vitest"
import { exportProgress, queueOrder } from "@reelay/contracts/messages/Messages"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { LOCAL_USER } from "@reelay/platform/Auth"
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { aProgress, connectTo, Lab, next } from "./NotifierLab.ts"

const me = LOCAL_USER

describe("the notifier as a process", () => {
  it.live("says nothing about nobody listening, and goes at once when told", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const port = yield* Effect.promise(freePort)
      const lines: Array<string> = []
      const service = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url))], {
        env: {
          ...lab.infra.environment("notifier"),
          REELAY_AUTH: "local",
          REELAY_NOTIFIER_PORT: String(port),
          // More than an operator would see.
          REELAY_LOG_LEVEL: "All"
        },
        stdio: ["ignore", "pipe", "pipe"]
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => service.kill("SIGKILL")))
      for (const output of [service.stdout, service.stderr]) {
        output.on("data", (bytes) =>
          lines.push(
            ...String(bytes)
              .split("\n")
              .filter((line) => line !== "")
          )
        )
      }
      yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/health/ready`).then(
          (r) => r.status,
          () => 0
        )
      ).pipe(Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (status) => status === 200 }))
      const before = [...lines]
      for (const line of before) assert.doesNotThrow(() => JSON.parse(line), line)

      // An export's whole life, and nobody listens.
      const mine = yield* lab.anExport(me)
      yield* lab.scheduler.broadcast(queueOrder, { v: 1, waiting: [mine] })
      yield* lab.happen(me, mine, "processing")
      for (let percent = 0; percent <= 100; percent++) {
        yield* lab.scheduler.broadcast(exportProgress, {
          v: 1,
          exportId: mine,
          userId: me,
          progress: aProgress({ percent })
        })
      }
      yield* lab.happen(me, mine, "completed")
      // It has heard all that when it can tell somebody who comes now.
      const client = yield* connectTo(`ws://127.0.0.1:${port}/ws`)
      const last = (yield* lab.scheduler.streamState("EVENTS")).last
      yield* Effect.gen(function* () {
        client.send({ type: "subscribe", exports: [mine] })
        return (yield* next(client, "snapshot")).cursor
      }).pipe(Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (cursor) => cursor.endsWith(`:${last}`) }))
      client.socket.terminate()
      assert.deepStrictEqual(lines, before)

      // An open client does not keep it.
      const other = yield* connectTo(`ws://127.0.0.1:${port}/ws`)
      other.send({ type: "subscribe", exports: "all" })
      yield* next(other, "snapshot")
      const told = performance.now()
      const gone = once(service, "exit")
      service.kill("SIGTERM")
      yield* Effect.promise(() => gone)
      assert.isBelow(performance.now() - told, 15_000)
      assert.strictEqual(yield* Effect.promise(() => other.ended), 1001)
    }).pipe(Effect.provide(Lab.layerWith({ REELAY_AUTH: "local" })))
  )
})
