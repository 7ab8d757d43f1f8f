import type { ExportId, UserId } from "@reelay/contracts/Ids"
import { control, exportRequested } from "@reelay/contracts/messages/Messages"
import type { Control } from "@reelay/contracts/messages/Messages"
import { Bus } from "@reelay/platform/Bus"
import { Context, Effect, Layer } from "effect"

/**
 * Tells the farm of what Postgres already says. Never waited for and never a reason to fail: whoever is not reached finds
 * out from the row.
 */
export class Doorbell extends Context.Service<
  Doorbell,
  {
    /** A pending export wants to be looked at. */
    ring(owner: UserId, id: ExportId): Effect.Effect<void>
    announce(message: Control): Effect.Effect<void>
  }
>()("@reelay/api/Doorbell") {
  static readonly layer = Layer.effect(
    Doorbell,
    Effect.gen(function* () {
      const bus = yield* Bus
      return Doorbell.of({
        // Without the server's confirmation, which nobody would wait for.
        ring: (userId, exportId) => bus.broadcast(exportRequested, { v: 1, exportId, userId }),
        announce: (message) => bus.broadcast(control, message).pipe(Effect.forkDetach, Effect.asVoid)
      })
    })
  )
}
