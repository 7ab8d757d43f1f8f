import { Database } from "@reelay/platform/Database"
import { sql } from "drizzle-orm"
import { Effect, Schema } from "effect"
import type { Frozen } from "./Freeze.ts"

/** Fewer than these say nothing. */
const ENOUGH = 3
/** How many of the latest completed exports are looked at. */
const LOOKED_AT = 200

const Row = Schema.Struct({ n: Schema.Int, p50: Schema.NullOr(Schema.Finite), p90: Schema.NullOr(Schema.Finite) })
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

/**
 * Wall-clock seconds that such an export takes once it runs, from how fast the farm made frames of this size, format and
 * effort lately; null until it has made enough of them.
 */
export const secondsFor = Effect.fnUntraced(function* (frozen: Frozen) {
  const { target } = frozen.spec
  const found = yield* Database.use((database) =>
    database.query("exports.speeds", async (db) =>
      Array.from(
        await db.execute(sql`
        select count(*)::int as n,
          percentile_cont(0.5) within group (order by seconds) as p50,
          percentile_cont(0.9) within group (order by seconds) as p90
        from (
          select extract(epoch from completed_at - started_at)::float8 / frames * ${frozen.frames}::float8 as seconds
          from (select * from exports where status = 'completed' order by id desc limit ${LOOKED_AT}) as latest
          where spec -> 'target' ->> 'format' = ${target.format}
            and spec -> 'target' ->> 'mode' = ${target.mode}
            and (spec -> 'target' ->> 'width')::int * (spec -> 'target' ->> 'height')::int
              between ${Math.round(target.width * target.height * 0.8)} and ${Math.round(target.width * target.height * 1.25)}
        ) as lately`)
      )
    )
  )
  const [speeds] = yield* decodeRows(found).pipe(Effect.orElseSucceed(() => []))
  if (speeds === undefined || speeds.n < ENOUGH || speeds.p50 === null || speeds.p90 === null) return null
  return { p50: Math.max(0, speeds.p50), p90: Math.max(0, speeds.p90) }
})
