import { Effect } from "effect"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { readLock, runs, tryLock, unlock } from "../../launch/ProcessLock.mjs"
import type { Place } from "../stack/Place.ts"

/** Whether another living process uses the stack of this data folder. Forgets the dead ones. */
export const hasOtherClients = (place: Place["Service"]): boolean => {
  let others = false
  for (const name of readdirSync(place.clients)) {
    const path = join(place.clients, name)
    const client = readLock(path)
    if (client === null || !runs(client)) rmSync(path, { force: true })
    else if (client.pid !== process.pid) others = true
  }
  return others
}

/** Says, for as long as the scope lives, that this process uses it. */
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
