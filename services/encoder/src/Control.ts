import { type Control, control } from "@reelay/contracts/messages/Messages"
import { Bus } from "@reelay/platform/Bus"
import { Effect, Layer, Stream } from "effect"
import { Claim } from "./Claim.ts"
import { EncoderConfig } from "./EncoderConfig.ts"

/**
 * Obeys what is broadcast: cancels for everybody, and an operator's word to this node. Drain: finish, take nothing new.
 * Stop: the same, and hand back at once what runs. Resume undoes both. Pausing the queue is the scheduler's matter: an
 * encoder that missed its end would stand idle for ever.
 */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { nodeId } = yield* EncoderConfig
    const bus = yield* Bus
    const claim = yield* Claim

    const obey = Effect.fn("Control.obey")(function* (message: Control) {
      switch (message._tag) {
        case "Cancel":
          return yield* claim.cancel(message.exportId, message.epoch)
        case "Drain":
          return message.nodeId === nodeId ? yield* claim.accept(false) : undefined
        case "Resume":
          return message.nodeId === nodeId ? yield* claim.accept(true) : undefined
        case "Stop":
          if (message.nodeId !== nodeId) return
          yield* claim.accept(false)
          return yield* claim.handBack
        case "Queue":
          return
      }
    })
    yield* bus.subscribe(control).pipe(Stream.runForEach(obey), Effect.forkScoped)
  })
)
