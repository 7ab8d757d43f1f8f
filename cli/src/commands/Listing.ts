import { Console, Effect, type Schema } from "effect"
import { Command, Flag } from "effect/cli"
import type { ApiClient } from "../client/Api.ts"
import { Connection } from "../client/Connection.ts"
import { jsonLines } from "../report/JsonLines.ts"
import { table } from "../report/Table.ts"
import { interruptible, Signals } from "../Signals.ts"

/** Lines that are shown unless all are asked for. */
const LATEST = 20
/** What the api gives at once, at the most. */
const PAGE = 200

interface Asked {
  readonly limit: number
  readonly cursor?: string
}
interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
  readonly total: number
}

/** A command that lists what the api has pages of, the latest first. */
export const listing = <const Name extends string, A, I, E>(
  name: Name,
  list: {
    readonly description: string
    /** One of them, in words. */
    readonly one: string
    readonly schema: Schema.Codec<A, I>
    readonly head: ReadonlyArray<string>
    readonly row: (item: A) => ReadonlyArray<string>
    readonly read: (api: ApiClient, asked: Asked) => Effect.Effect<Page<A>, E>
  }
) => {
  const flag = (name: string, description: string) =>
    Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))
  return Command.make(
    name,
    {
      all: flag("all", `Every ${list.one}, not only the latest ${LATEST}`),
      json: flag("json", `One ${list.one} as JSON a line`)
    },
    ({ all, json }) =>
      interruptible(
        Effect.gen(function* () {
          const connection = yield* Connection
          const read = (cursor: string | null) =>
            connection.once(({ api }) =>
              list.read(api, { limit: all ? PAGE : LATEST, ...(cursor === null ? {} : { cursor }) })
            )
          let page = yield* read(null)
          const items = [...page.items]
          while (all && page.nextCursor !== null) {
            page = yield* read(page.nextCursor)
            items.push(...page.items)
          }
          if (json) return yield* jsonLines(list.schema, items)
          if (items.length === 0) return yield* Console.log(`No ${list.one} yet.`)
          yield* Console.log(table(list.head, items.map(list.row)))
          if (page.nextCursor !== null) {
            yield* Console.log(`… and ${page.total - items.length} older ones (--all shows them)`)
          }
        })
      )
  ).pipe(Command.provide(Connection.layer), Command.provide(Signals.layer), Command.withDescription(list.description))
}
