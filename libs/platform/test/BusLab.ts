import type { Role } from "@reelay/contracts/messages/Topology"
import { Bus } from "@reelay/platform/Bus"
import { startNats } from "@reelay/platform/embedded/Nats"
import type { NatsServer } from "@reelay/platform/embedded/Nats"
import { ConfigProvider, Context, Effect, Layer, Ref } from "effect"
import type { Scope } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A nats-server of a test's own, to be killed and wiped at will, and busses of any role on it. */
export const PASSWORDS = { scheduler: "s-secret", api: "a-secret", encoder: "e-secret", notifier: "n-secret" }

export class Lab extends Context.Service<Lab, {
  readonly server: Effect.Effect<NatsServer>
  /** kill -9, then the same data directory and port again; `wiped`: with nothing left in it. */
  restart(options: { readonly wiped: boolean }): Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  bus(role: Role): Effect.Effect<Bus["Service"], never, Scope.Scope>
}>()("@reelay/platform/test/Lab") {
  static readonly layer = Layer.effect(
    Lab,
    Effect.gen(function*() {
      const dataDirectory = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "reelay-nats-"))),
        (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
      )
      const running = yield* Effect.acquireRelease(
        startNats({ dataDirectory, port: 0, passwords: PASSWORDS }).pipe(Effect.orDie, Effect.flatMap((s) => Ref.make(s))),
        (ref) => Ref.get(ref).pipe(Effect.flatMap((server) => server.kill))
      )
      const { port } = yield* Ref.get(running)
      const start = startNats({ dataDirectory, port, passwords: PASSWORDS }).pipe(
        Effect.orDie,
        Effect.flatMap((server) => Ref.set(running, server))
      )
      const kill = Ref.get(running).pipe(Effect.flatMap((server) => server.kill))
      return Lab.of({
        server: Ref.get(running),
        kill,
        start,
        restart: Effect.fnUntraced(function*({ wiped }) {
          yield* kill
          if (wiped) yield* Effect.promise(() => rm(dataDirectory, { recursive: true, force: true }))
          yield* start
        }),
        bus: Effect.fnUntraced(function*(role) {
          const { environment } = yield* Ref.get(running)
          const context = yield* Layer.build(
            Layer.fresh(Bus.layer).pipe(
              Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment(role)))),
              Layer.orDie
            )
          )
          return Context.get(context, Bus)
        })
      })
    })
  )
}
