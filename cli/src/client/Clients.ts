import { Effect } from "effect"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { readLock, runs, tryLock, unlock } from "../../launch/ProcessLock.mjs"
import type { Place } from "../stack/Place.ts"

/** Says, for as long as the scope lives, that this process uses the stack of this data folder. */
export const registerClient = (place: Place["Service"]) => {
  const mine = join(place.clients, `${process.pid}.json`)
  return Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(place.clients, { recursive: true })
      tryLock(mine)
    }),
    () => Effect.sync(() => unlock(mine))
  )
}

/** Whether another living process uses it. */
export const hasOtherClients = (place: Place["Service"]): boolean => {
  try {
    return readdirSync(place.clients).some((name) => {
      const client = readLock(join(place.clients, name))
      return client !== null && client.pid !== process.pid && runs(client)
    })
  } catch {
    return false
  }
}
