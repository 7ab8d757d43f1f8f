import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { control, exportRequested } from "@reelay/contracts/messages/Messages"
import type { Control, ExportRequested } from "@reelay/contracts/messages/Messages"
import { makeCallbackBatch } from "@reelay/platform/Batch"
import { Bus } from "@reelay/platform/Bus"
import { Context, Effect, Exit, FiberSet, Layer } from "effect"

/** Exports of one ring: a message may have a megabyte, and these are about 40 bytes each. */
const TOGETHER = 256

/**
 * Tells the farm of what Postgres already says. Never waited for and never a reason to fail: whoever is not reached finds
 * out from the row.
 */
export class Doorbell extends Context.Service<
  Doorbell,
  {
    /** A pending export wants to be looked at. Those of one moment share a message. */
    ring(owner: UserId, id: ExportId): Effect.Effect<void>
    announce(message: Control): Effect.Effect<void>
  }
>()("@reelay/api/Doorbell") {
  static readonly layer = Layer.effect(
    Doorbell,
    Effect.gen(function* () {
      const bus = yield* Bus
      const fork = yield* FiberSet.makeRuntime<never>()
      const ring = makeCallbackBatch((lane) => void fork(lane), {
        most: TOGETHER,
        run: Effect.fnUntraced(function* (rings: ReadonlyArray<Omit<ExportRequested, "v" | "others">>) {
          const [first, ...others] = rings
          if (first === undefined) return []
          // Without the server's confirmation, which nobody would wait for.
          yield* bus.broadcast(exportRequested, {
            v: 1,
            ...first,
            ...(others.length === 0 ? {} : { others: others.map(({ exportId }) => exportId) })
          })
          return rings.map(() => Exit.void)
        }),
        isForAll: () => true
      })
      return Doorbell.of({
        ring: (userId, exportId) => Effect.sync(() => ring({ userId, exportId }, () => {})),
        announce: (message) => bus.broadcast(control, message).pipe(Effect.forkDetach, Effect.asVoid)
      })
    })
  )
}
