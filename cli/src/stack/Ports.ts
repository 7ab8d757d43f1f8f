import { Effect } from "effect"
import { createServer } from "node:net"

/** Whether a server can listen there right now; 0 asks for any. The port, or null. */
const probe = (port: number) =>
  Effect.callback<number | null>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(null)))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address()
      const found = typeof address === "object" && address !== null ? address.port : null
      server.close(() => resume(Effect.succeed(found)))
    })
  })

export const isFree = (port: number) => Effect.map(probe(port), (found) => found !== null)

/** A loopback port that nobody listens on. */
export const freePort = Effect.map(probe(0), (port) => port ?? 0)
