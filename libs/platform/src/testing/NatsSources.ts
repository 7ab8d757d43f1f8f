import { jetstreamManager } from "@nats-io/jetstream"
import type { Role } from "@reelay/contracts/messages/Topology"
import { Effect } from "effect"
import { connect } from "nats"
import { startNats } from "../embedded/Nats.ts"
import { natsConfigText } from "../NatsConfig.ts"

/** Where test files get their NATS from. */
export type TestNats =
  | { readonly source: "embedded" }
  /** A container for each file. `version`: what the image's server is, its configuration depends on it. */
  | { readonly source: "container"; readonly image: string; readonly version: string }
  /** One server for all: such a run has one worker, and each file begins by wiping what the last one left. */
  | { readonly source: "given"; readonly url: string }

export interface NatsForTests {
  readonly url: string
  readonly environment: (role: Role) => Readonly<Record<string, string>>
}

const PASSWORDS: Readonly<Record<Role, string>> = {
  scheduler: "test-scheduler",
  api: "test-api",
  encoder: "test-encoder",
  notifier: "test-notifier"
}

const embedded = (dataDirectory: string) =>
  Effect.acquireRelease(startNats({ dataDirectory, port: 0, passwords: PASSWORDS }), (server) => server.kill)

const CONTAINER_PORT = 4222
const container = (image: string, version: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { GenericContainer, Wait } = await import("testcontainers")
      const content = natsConfigText({
        version,
        host: "0.0.0.0",
        port: CONTAINER_PORT,
        storeDirectory: "/tmp/jetstream",
        passwords: PASSWORDS
      })
      return (
        new GenericContainer(image)
          .withCopyContentToContainer([{ content, target: "/tmp/nats-server.conf" }])
          .withCommand(["-c", "/tmp/nats-server.conf"])
          .withExposedPorts(CONTAINER_PORT)
          // Not by looking at its ports from inside: the image may have nothing to look with.
          .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
          .start()
      )
    }),
    (started) => Effect.promise(() => started.stop())
  ).pipe(
    Effect.map((started): NatsForTests => {
      const url = `nats://${started.getHost()}:${started.getMappedPort(CONTAINER_PORT)}`
      return {
        url,
        environment: (role) => ({
          REELAY_NATS_URL: url,
          REELAY_NATS_USER: role,
          REELAY_NATS_PASSWORD: PASSWORDS[role]
        })
      }
    })
  )

/** `nats://user:password@host:port`: that user stands for every role. */
const given = (url: string) =>
  Effect.promise(async (): Promise<NatsForTests> => {
    const { host, username, password } = new URL(url)
    const server = `nats://${host}`
    const credentials =
      username === "" ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
    const connection = await connect({ servers: server, ...credentials })
    try {
      const manager = await jetstreamManager(connection)
      for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
    } finally {
      await connection.close()
    }
    return {
      url: server,
      environment: () => ({
        REELAY_NATS_URL: server,
        ...(username === ""
          ? {}
          : {
              REELAY_NATS_USER: decodeURIComponent(username),
              REELAY_NATS_PASSWORD: decodeURIComponent(password)
            })
      })
    }
  })

/** A NATS without streams, for as long as the scope lives. */
export const freshNats = (nats: TestNats, dataDirectory: string) => {
  switch (nats.source) {
    case "embedded":
      return embedded(dataDirectory)
    case "container":
      return container(nats.image, nats.version)
    case "given":
      return given(nats.url)
  }
}
