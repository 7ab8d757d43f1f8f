import type { ExportId } from "@reelay/contracts/Ids"
import { createSignal, onCleanup } from "solid-js"
import type { Client } from "../api/Client.ts"

/**
 * Posters of finished exports. An `<img>` sends no token, so they are fetched and shown from memory, each when it
 * first comes into sight.
 */
export const createPosters = (client: Client) => {
  const [urls, setUrls] = createSignal<ReadonlyMap<ExportId, string>>(new Map())
  const asked = new Set<ExportId>()
  const gone = new AbortController()
  onCleanup(() => {
    gone.abort()
    for (const url of urls().values()) URL.revokeObjectURL(url)
  })
  return {
    url: (id: ExportId): string | null => urls().get(id) ?? null,
    want: async (id: ExportId) => {
      if (asked.has(id)) return
      asked.add(id)
      try {
        const blob = await client.poster(id, gone.signal)
        setUrls((all) => new Map(all).set(id, URL.createObjectURL(blob)))
      } catch {
        // A picture less; the source's stands in. The next time it comes into sight it is asked for again.
        asked.delete(id)
      }
    }
  }
}
