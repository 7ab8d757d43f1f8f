import { Config, Effect, Layer, Logger, Option, References } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpSerialization, PrometheusMetrics } from "effect/observability"

/**
 * What a service says of itself: JSON log lines on stdout from REELAY_LOG_LEVEL on (Info), and traces, metrics and logs
 * to an OpenTelemetry collector where OTEL_EXPORTER_OTLP_ENDPOINT names one.
 */
export const layer = (serviceName: string) =>
  Layer.unwrap(Effect.gen(function*() {
    const level = yield* Config.LogLevel("REELAY_LOG_LEVEL").pipe(Config.withDefault("Info" as const))
    const endpoint = yield* Config.option(Config.NonEmptyString("OTEL_EXPORTER_OTLP_ENDPOINT"))
    const console = Layer.merge(
      Logger.layer([Logger.consoleJson]),
      Layer.succeed(References.MinimumLogLevel, level)
    )
    if (Option.isNone(endpoint)) return console
    return Otlp.layerFromConfig({ resource: { serviceName }, loggerMergeWithExisting: true }).pipe(
      Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]),
      Layer.provideMerge(console)
    )
  }))

/** `GET /metrics` for Prometheus: everything that Effect's Metric counts in this process. */
export const metricsRoute = PrometheusMetrics.layerHttp()
