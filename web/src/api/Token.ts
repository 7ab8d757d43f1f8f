import type { Keep } from "../state/Keep.ts"

declare global {
  interface Window {
    /** A page that embeds or serves the studio behind its own sign-in hands out fresh tokens here. */
    readonly reelay?: { readonly token?: () => string | null | Promise<string | null> }
  }
}

const KEY = "reelay.token"

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

export const tokenSource = (host: () => Window["reelay"], session: Keep): TokenSource => {
  const token = async (): Promise<string | null> => {
    const ask = host()?.token
    // A host page that cannot say one right now is no reason to stop: the request's 401 asks the person.
    const given =
      ask === undefined
        ? null
        : await Promise.resolve()
            .then(ask)
            .catch(() => null)
    return given ?? session.read(KEY)
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
