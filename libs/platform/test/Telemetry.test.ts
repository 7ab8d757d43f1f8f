import { assert, describe, it } from "@effect/vitest"
import * as Telemetry from "@reelay/platform/Telemetry"
import { ConfigProvider, Console, Effect, Layer, Metric } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

interface Line {
  readonly message: string
  readonly level: string
}

/** The lines that a service with this environment says while it does a little. */
const service = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>>) {
  const lines: Array<Line> = []
  const log = (text: string) => lines.push(JSON.parse(text))
  yield* Effect.logDebug("quiet").pipe(
    Effect.andThen(Effect.logInfo("heard")),
    Effect.withSpan("a span"),
    Effect.annotateLogs({ exportId: "1" }),
    Effect.provide(
      Telemetry.layer("tested").pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))),
        Layer.provideMerge(Layer.succeed(Console.Console, { ...console, log }))
      ),
      { local: true }
    )
  )
  return lines
})

/** An OpenTelemetry collector that remembers what it was told, by path. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly told: Map<string, string>; readonly close: () => void }>(
    (resume) => {
      const told = new Map<string, string>()
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request
          .on("data", (chunk: Buffer) => chunks.push(chunk))
          .on("end", () => {
            told.set(request.url ?? "", Buffer.concat(chunks).toString())
            response.writeHead(200, { "content-type": "application/json" }).end("{}")
          })
      }).listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            told,
            close: () => server.close()
          })
        )
      )
    }
  ),
  ({ close }) => Effect.sync(close)
)

describe("telemetry", () => {
  it.live("logs lines of JSON from the level on that was asked for", () =>
    Effect.gen(function* () {
      const lines = yield* service({})
      assert.deepStrictEqual(
        lines.map(({ message, level }) => [message, level]),
        [["heard", "INFO"]]
      )
      assert.deepNestedInclude(lines[0], { "annotations.exportId": "1" })
      const debugged = yield* service({ REELAY_LOG_LEVEL: "debug" })
      assert.deepStrictEqual(
        debugged.map(({ message }) => message),
        ["quiet", "heard"]
      )
      const unclear = yield* service({ REELAY_LOG_LEVEL: "loud" })
      assert.deepStrictEqual(
        unclear.map(({ level }) => level),
        ["WARN", "INFO"]
      )
    })
  )

  it.live("tells a collector where one is named, and the console as well", () =>
    Effect.gen(function* () {
      const { url, told } = yield* collector
      const lines = yield* service({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["heard"]
      )
      assert.include(told.get("/v1/traces"), "a span")
      assert.include(told.get("/v1/logs"), "heard")
      assert.include(told.get("/v1/logs"), "tested")
      const quiet = yield* collector
      yield* service({ OTEL_EXPORTER_OTLP_ENDPOINT: quiet.url, OTEL_TRACES_EXPORTER: "none" })
      assert.isFalse(quiet.told.has("/v1/traces"))
      assert.isTrue(quiet.told.has("/v1/logs"))
    })
  )

  it.live("shows metrics to Prometheus", () =>
    Effect.gen(function* () {
      yield* Metric.update(Metric.counter("reelay_test_total"), 3)
      const { handler, dispose } = HttpRouter.toWebHandler(Telemetry.metricsRoute, { disableLogger: true })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const response = yield* Effect.promise(() => handler(new Request("http://x/metrics")))
      assert.match(yield* Effect.promise(() => response.text()), /^reelay_test_total 3$/m)
    })
  )
})
