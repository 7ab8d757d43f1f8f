import { createContext, createSignal, onCleanup, useContext } from "solid-js"
import { makeClient } from "../api/Client.ts"
import { failureOf } from "../api/Problem.ts"
import { tokenSource } from "../api/Token.ts"
import { upload } from "../api/Upload.ts"
import { keepIn } from "../state/Keep.ts"
import { createAnnouncer } from "./createAnnouncer.ts"
import { createAway } from "./createAway.ts"
import { createConfirm } from "./createConfirm.ts"
import { createDrafts } from "./createDrafts.ts"
import { createExports } from "./createExports.ts"
import { createLive } from "./createLive.ts"
import { createPosters } from "./createPosters.ts"
import { createSession } from "./createSession.ts"
import { createSources } from "./createSources.ts"

/** Milliseconds between two looks at the clock, for "3 min ago". */
const TICK = 15_000

/** Everything that lives as long as the page, wired once. Components get it by `useStudio` and keep nothing. */
export const createStudio = () => {
  const tokens = tokenSource(
    () => window.reelay,
    keepIn(() => sessionStorage)
  )
  const session = createSession(tokens)
  const base = ""
  const client = makeClient({ base, tokens, onUnauthorized: session.onUnauthorized })
  const exports = createExports(client)
  const sources = createSources(client)
  const posters = createPosters(client)
  const away = createAway(
    keepIn(() => localStorage),
    exports
  )
  const announcer = createAnnouncer(exports, sources)
  const confirm = createConfirm()
  const live = createLive({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
    tokens,
    session,
    exports,
    since: away.cursor,
    onCursor: away.onCursor
  })
  const drafts = createDrafts({
    upload: async (file, signal, onProgress) => {
      const token = await tokens.token()
      try {
        return await upload(file, { base, token, signal, onProgress })
      } catch (error) {
        if (failureOf(error).status === 401) session.onUnauthorized(token)
        throw error
      }
    },
    create: exports.create,
    onUploaded: sources.put,
    onExported: (draft) => announcer.say(`${draft.name}: export started`)
  })

  const [now, setNow] = createSignal(Date.now())
  const ticking = setInterval(() => setNow(Date.now()), TICK)
  onCleanup(() => clearInterval(ticking))

  let whose: string | null = null
  const begin = async () => {
    const identity = await tokens.identity()
    if (whose !== null && whose !== identity) {
      // A token with a slip of the pen is nobody else: what is on the page goes only once the new one holds.
      const refused = await client.active().then(
        () => false,
        (error) => failureOf(error).status === 401
      )
      if (refused) return
      // Someone else: nothing of the one before stays, not even answers that are still on their way.
      for (const id of drafts.list.map((draft) => draft.id)) drafts.remove(id)
      return location.reload()
    }
    whose = identity
    away.recall(identity)
    await Promise.all([live.load(), sources.load().catch(() => {})])
  }
  onCleanup(session.onSignedIn(() => void begin()))
  void begin()

  return { client, session, exports, sources, posters, away, announcer, confirm, live, drafts, now }
}
export type Studio = ReturnType<typeof createStudio>

export const StudioContext = createContext<Studio>()
export const useStudio = (): Studio => {
  const studio = useContext(StudioContext)
  if (studio === undefined) throw new Error("useStudio is for what stands within the App")
  return studio
}
