import { createServer } from "node:net"

/** Whether a server can listen on that loopback port right now (0: on any): the port, or null. */
const probe = (port: number): Promise<number | null> =>
  new Promise((found) => {
    const server = createServer()
    server.once("error", () => found(null))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address()
      server.close(() => found(typeof address === "object" && address !== null ? address.port : null))
    })
  })

export const isFree = async (port: number): Promise<boolean> => (await probe(port)) !== null

/** A loopback port that nobody listens on; somebody may the next moment. */
export const freePort = async (): Promise<number> => {
  const port = await probe(0)
  if (port === null) throw new Error("this machine has no free port on 127.0.0.1")
  return port
}
