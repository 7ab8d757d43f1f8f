import { startNats } from "@reelay/platform/embedded/Nats"
import type { NatsOptions } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import type { PostgresOptions } from "@reelay/platform/embedded/Postgres"
import { Effect } from "effect"
import { Failure } from "../Failure.ts"
import { endingOf } from "./Instance.ts"
import type { Instance } from "./Instance.ts"

/** A server and what its users must know of it, the same after a restart (port and passwords stay). */
export interface Server<Connection> {
  readonly start: (previous: Instance | null) => Effect.Effect<Instance, Failure>
  /** Of the last start. */
  readonly connection: () => Connection
}

const started = <A>(what: string, value: A | undefined): A => {
  if (value === undefined) throw new Error(`${what} is not started yet`)
  return value
}

/** Connection: the database's URL. */
export const postgresServer = (options: Omit<PostgresOptions, "port">): Server<string> => {
  let url: string | undefined
  return {
    connection: () => started("Postgres", url),
    start: (previous) =>
      startPostgres({ ...options, port: previous?.port ?? 0 }).pipe(
        Effect.mapError((error) => new Failure({ message: `Postgres does not start: ${error.message}` })),
        Effect.map((server) => {
          url = server.url
          const { pid, port, stop } = server
          return { pid, port, stop, exited: Effect.as(server.exited, "its server is gone") }
        })
      )
  }
}

/** Connection: the environment with which a role enters it. */
export const natsServer = (
  options: Omit<NatsOptions, "port" | "detached">
): Server<(role: keyof NatsOptions["passwords"]) => Readonly<Record<string, string>>> => {
  let environment: ((role: keyof NatsOptions["passwords"]) => Readonly<Record<string, string>>) | undefined
  return {
    connection: () => started("nats-server", environment),
    start: (previous) =>
      startNats({ ...options, port: previous?.port ?? 0, detached: true }).pipe(
        Effect.mapError((error) => new Failure({ message: `nats-server does not start: ${error.detail}` })),
        Effect.map((server) => {
          environment = server.environment
          const { pid, port, stop } = server
          return { pid, port, stop, exited: Effect.map(server.exited, ({ code, signal }) => endingOf(code, signal)) }
        })
      )
  }
}
