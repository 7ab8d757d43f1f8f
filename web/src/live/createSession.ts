import { createSignal } from "solid-js"
import type { TokenSource } from "../api/Token.ts"

/** Who is there. In local mode nobody is ever asked: no request is answered with 401. */
export const createSession = (tokens: TokenSource) => {
  const [needed, setNeeded] = createSignal(false)
  const [attempts, setAttempts] = createSignal(0)
  const listeners = new Set<() => void>()
  return {
    /** A request was refused for want of a valid token. */
    needed,
    /** How many tokens were pasted: the second time the box says that the last one did not do. */
    attempts,
    onUnauthorized: () => setNeeded(true),
    signIn: (token: string) => {
      tokens.paste(token.trim().replace(/^Bearer\s+/i, ""))
      setAttempts((count) => count + 1)
      setNeeded(false)
      for (const listener of listeners) listener()
    },
    /** Everything that was refused is tried again then. */
    onSignedIn: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}
export type Session = ReturnType<typeof createSession>
