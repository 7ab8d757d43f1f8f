import type { Keep } from "../state/Keep.ts"

declare global {
  interface Window {
    /** A page that embeds or serves the studio behind its own sign-in hands out fresh tokens here. */
    readonly reelay?: { readonly token?: () => string | null | Promise<string | null> }
  }
}

const KEY = "reelay.token"
/** Milliseconds that a host page gets to answer; and, after it let them pass once, until it answers again. */
export const TOKEN_TIMEOUT = 10_000
export const TOKEN_AGAIN = 1000

/** Where requests and connections get their token from, asked anew for every one. */
export interface TokenSource {
  /** Null: none is needed, or none is known. */
  readonly token: () => Promise<string | null>
  /** A token that the user pasted; null forgets it. Lives as long as the tab. */
  readonly paste: (token: string | null) => void
  /** Whose memory this is: the token's `sub`, unverified, good enough to keep two users' notes apart. */
  readonly identity: () => Promise<string>
}

/** `sub` of a JWT without checking it; null when it is none. */
export const subjectOf = (token: string): string | null => {
  try {
    const part = token.split(".")[1] ?? ""
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof claims === "object" && claims !== null && "sub" in claims && typeof claims.sub === "string"
      ? claims.sub
      : null
  } catch {
    return null
  }
}

const LATE = Symbol("late")
type Ask = () => string | null | Promise<string | null>

/** What the host page says; null when it fails. */
const within = async (millis: number, ask: Ask): Promise<string | null | typeof LATE> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), millis)
  })
  const said = Promise.resolve()
    .then(ask)
    .catch(() => null)
  return Promise.race([said, late]).finally(() => clearTimeout(timer))
}

export const tokenSource = (host: () => Window["reelay"], session: Keep): TokenSource => {
  let patience = TOKEN_TIMEOUT
  const token = async (): Promise<string | null> => {
    const ask = host()?.token
    const given = ask === undefined ? null : await within(patience, ask)
    patience = given === LATE ? TOKEN_AGAIN : TOKEN_TIMEOUT
    // A host page that cannot say one right now is no reason to stop: the request's 401 asks the person.
    return (given === LATE ? null : given) ?? session.read(KEY)
  }
  return {
    token,
    paste: (value) => {
      session.write(KEY, value)
    },
    identity: async () => {
      const known = await token()
      return known === null ? "local" : (subjectOf(known) ?? "unknown")
    }
  }
}
