import { Effect } from "effect"
import type { NatsConnection } from "nats"
import { BusError } from "./BusError.ts"

/**
 * Connections that broke, and who waits on those that have not. The client closes a broken connection step by step, and
 * a request made between two of the steps would hang until its time is up: here it fails with the connection.
 */
const broken = new WeakSet<NatsConnection>()
const waiting = new WeakMap<NatsConnection, Set<() => void>>()

export const isUsable = (nc: NatsConnection): boolean => !broken.has(nc) && !nc.isClosed()

export const markBroken = (nc: NatsConnection): void => {
  broken.add(nc)
  for (const fail of waiting.get(nc) ?? []) fail()
}

/** What the client answers, or BusError: also when the connection breaks meanwhile. */
export const attempt = <A>(
  nc: NatsConnection,
  operation: BusError["operation"],
  run: () => Promise<A>
): Effect.Effect<A, BusError> =>
  Effect.callback<A, BusError>((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(new BusError({ operation, cause })))
    if (!isUsable(nc)) return fail(new Error("the connection is closed"))
    const all = waiting.get(nc) ?? new Set()
    waiting.set(nc, all)
    const lost = () => fail(new Error("the connection broke"))
    const settled = () => void all.delete(lost)
    all.add(lost)
    try {
      run().then(
        (value) => {
          settled()
          resume(Effect.succeed(value))
        },
        (cause: unknown) => {
          settled()
          fail(cause)
        }
      )
    } catch (cause) {
      settled()
      fail(cause)
    }
    return Effect.sync(settled)
  })
