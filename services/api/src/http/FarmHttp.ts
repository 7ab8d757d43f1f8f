import { Api } from "@reelay/contracts/api/Api"
import { CurrentCaller } from "@reelay/contracts/api/Authorization"
import { Unavailable } from "@reelay/contracts/Problem"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Farm } from "../Farm.ts"
import { Readiness } from "../Readiness.ts"
import { told } from "../Trouble.ts"
import { operatorOnly } from "./Guards.ts"

export const FarmHttp = HttpApiBuilder.group(
  Api,
  "farm",
  Effect.fnUntraced(function* (handlers) {
    const farm = yield* Farm
    const readiness = yield* Readiness
    const verb = (name: "Drain" | "Resume" | "Stop") =>
      Effect.fnUntraced(function* ({ params }: { readonly params: { readonly id: Parameters<typeof farm.tell>[1] } }) {
        yield* operatorOnly
        return yield* farm.tell(name, params.id)
      })
    return handlers.handleAll({
      nodes: Effect.fnUntraced(function* () {
        return { items: yield* told(farm.nodes(yield* CurrentCaller)) }
      }),
      drain: verb("Drain"),
      resume: verb("Resume"),
      stop: verb("Stop"),
      queue: Effect.fnUntraced(function* () {
        yield* operatorOnly
        return { paused: yield* told(farm.paused) }
      }),
      setQueue: Effect.fnUntraced(function* ({ payload }) {
        yield* operatorOnly
        return { paused: yield* told(farm.setPaused(payload.paused)) }
      }),
      live: () => Effect.succeed({ status: "live" as const }),
      ready: Effect.fnUntraced(function* () {
        const missing = yield* readiness.missing
        if (missing.length === 0) return { status: "ready" as const }
        return yield* new Unavailable({ detail: `Not there (yet): ${missing.join(", ")}.`, missing })
      })
    })
  })
)
