import { createSignal } from "solid-js"
import type { TokenSource } from "../api/Token.ts"

/** Who is there. In local mode nobody is ever asked: no request is answered with 401. */
export const createSession = (tokens: TokenSource) => {
  const [needed, setNeeded] = createSignal(false)
  const [attempts, setAttempts] = createSignal(0)
  const listeners = new Set<() => void>()
  let refused: string | null = null
  const begin = () => {
    setNeeded(false)
    for (const listener of listeners) listener()
  }
  return {
    /** A request was refused for want of a valid token. */
    needed,
    /** How many tokens were pasted: the second time the box says that the last one did not do. */
    attempts,
    onUnauthorized: (token: string | null) => {
      refused = token
      setNeeded(true)
    },
    /** A page that hands out tokens may have another one by now than the one that was refused: then nobody need be asked. */
    renew: async () => {
      const token = await tokens.token()
      if (needed() && token !== null && token !== refused) begin()
    },
    signIn: (token: string) => {
      tokens.paste(token.trim().replace(/^Bearer\s+/i, ""))
      setAttempts((count) => count + 1)
      begin()
    },
    /** Everything that was refused is tried again then. */
    onSignedIn: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}
export type Session = ReturnType<typeof createSession>
