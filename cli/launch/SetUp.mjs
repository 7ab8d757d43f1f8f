import { locked } from "./Lock.mjs"
import * as NodeRuntime from "./NodeRuntime.mjs"
import * as Packages from "./Packages.mjs"
import * as Programs from "./Programs.mjs"
import { say } from "./Say.mjs"
import * as Web from "./Web.mjs"

const ready = (needs) =>
  NodeRuntime.present() !== null
  && Packages.complete()
  && Programs.missing(needs).length === 0
  && (!needs.includes("web") || Web.complete())

/**
 * Brings what is missing. `needs`: "media" (ffmpeg, nats-server), "browser" (chromium, for tests), "web" (the built
 * page). Returns the Node to go on with. Looks are cheap (files and digests only); only what changes takes the lock.
 */
export const setUp = async (needs) => {
  if (!ready(needs)) {
    const start = performance.now()
    await locked(async () => {
      const node = NodeRuntime.present() ?? (await NodeRuntime.bring())
      if (!Packages.complete()) await Packages.bring()
      const programs = Programs.missing(needs)
      if (programs.length > 0) await Programs.install(programs)
      if (needs.includes("web") && !Web.complete()) await Web.bring(node)
    })
    say(`set up in ${((performance.now() - start) / 1000).toFixed(1)} s`)
  }
  return { node: NodeRuntime.present() ?? process.execPath }
}
