import { A } from "@solidjs/router"
import type { Connection } from "../live/createLive.ts"
import { useStudio } from "../live/Studio.ts"

const words: Record<Connection, { readonly short: string; readonly long: string }> = {
  connecting: { short: "Connecting", long: "Connecting to Reelay" },
  live: { short: "Live", long: "Changes show at once" },
  polling: { short: "Checking", long: "The live connection is down; this page asks every few seconds" },
  offline: { short: "Offline", long: "Reelay cannot be reached; this page keeps trying" },
  "signed-out": { short: "Signed out", long: "Sign in to see your exports" }
}

export const Header = () => {
  const { live } = useStudio()
  return (
    <header class="top">
      <A href="/" class="wordmark" end>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path class="mark-reel" d="M12 1.5a10.5 10.5 0 1 0 0 21h10.5v-3h-5A10.5 10.5 0 0 0 12 1.5z" />
          <circle cx="12" cy="6.4" r="2.1" />
          <circle cx="6.4" cy="12" r="2.1" />
          <circle cx="17.6" cy="12" r="2.1" />
          <circle cx="12" cy="17.6" r="2.1" />
        </svg>
        Reelay
      </A>
      <p class="connection" data-connection={live.connection()} role="status" title={words[live.connection()].long}>
        <span class="unseen">Connection: </span>
        {words[live.connection()].short}
      </p>
    </header>
  )
}
