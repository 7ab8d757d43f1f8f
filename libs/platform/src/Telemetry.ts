import { Config, ConfigProvider, Effect, Layer, Logger, LogLevel, Option, References } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpSerialization, PrometheusMetrics } from "effect/observability"

/** `info`, `Info` or `INFO`: people write all of them. */
const logLevel = Config.String("REELAY_LOG_LEVEL").pipe(
  Config.withDefault("Info"),
  Config.map((text) => LogLevel.values.find((level) => level.toLowerCase() === text.trim().toLowerCase()))
)

/** Effect exports nothing that is not named, where the specification's default is all of it. */
const exporters = ConfigProvider.layerAdd(
  ConfigProvider.fromUnknown({
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_LOGS_EXPORTER: "otlp"
  })
)

/**
 * What a service says of itself: JSON log lines on stdout from REELAY_LOG_LEVEL on (Info), and traces, metrics and logs
 * to an OpenTelemetry collector where OTEL_EXPORTER_OTLP_ENDPOINT names one.
 */
export const layer = (serviceName: string) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const level = yield* logLevel
      const endpoint = yield* Config.option(Config.NonEmptyString("OTEL_EXPORTER_OTLP_ENDPOINT"))
      const console = Layer.merge(
        Logger.layer([Logger.consoleJson]),
        Layer.succeed(References.MinimumLogLevel, level ?? "Info")
      )
      if (level === undefined) {
        yield* Effect.logWarning(`REELAY_LOG_LEVEL is none of ${LogLevel.values.join(", ")}`).pipe(
          Effect.provide(console)
        )
      }
      // Spans that nobody collects cost as much as those that somebody does.
      if (Option.isNone(endpoint)) return Layer.merge(console, Layer.succeed(References.TracerEnabled, false))
      return Otlp.layerFromConfig({ resource: { serviceName } }).pipe(
        Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer, exporters]),
        Layer.provideMerge(console)
      )
    })
  )

/** `GET /metrics` for Prometheus: everything that Effect's Metric counts in this process. */
export const metricsRoute = PrometheusMetrics.layerHttp()
