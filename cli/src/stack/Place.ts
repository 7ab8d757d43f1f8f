import { Config, Context, Effect, Layer, Option } from "effect"
import { join, resolve } from "node:path"

/** The repository: services are started from it. */
export const ROOT = resolve(import.meta.dirname, "..", "..", "..")
export const DEFAULT_PORT = 8080
const DEFAULT_DATA = join(ROOT, ".reelay")

/** A command as it is typed for the stack of this data folder. */
export const typedFor = (data: string, command: string): string =>
  data === DEFAULT_DATA ? command : `REELAY_DATA='${data}' ${command}`

/**
 * Where the embedded stack of this data folder lives. Two stacks with different folders share nothing.
 */
export class Place extends Context.Service<
  Place,
  {
    readonly data: string
    /** What REELAY_PORT says; null when it says nothing, and then 8080 is meant. */
    readonly port: number | null
    /** While it runs: every process of it, for people and for the start after a crash. */
    readonly processes: string
    /** Held by the supervisor; says where it serves. */
    readonly lock: string
    readonly logs: string
    readonly secrets: string
    /** Random bytes that sign media URLs and local tokens. */
    readonly secretFile: string
    readonly postgres: string
    readonly nats: string
    readonly store: string
    /** One file for each command that uses the stack right now. */
    readonly clients: string
  }
>()("@reelay/cli/Place") {
  static readonly layer = Layer.effect(
    Place,
    Effect.gen(function* () {
      const data = resolve(yield* Config.NonEmptyString("REELAY_DATA").pipe(Config.withDefault(DEFAULT_DATA)))
      return Place.of({
        data,
        port: Option.getOrNull(yield* Config.option(Config.Port("REELAY_PORT"))),
        processes: join(data, "processes.json"),
        lock: join(data, "supervisor.json"),
        logs: join(data, "logs"),
        secrets: join(data, "secrets.json"),
        secretFile: join(data, "secret"),
        postgres: join(data, "postgres"),
        nats: join(data, "nats"),
        store: join(data, "store"),
        clients: join(data, "clients")
      })
    })
  )
}

export const logFileOf = (place: Place["Service"], role: string): string => join(place.logs, `${role}.log`)
