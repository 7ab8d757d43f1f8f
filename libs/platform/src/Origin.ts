/**
 * Which web pages may talk to a server whose only credential is being on the same machine. Pure decisions on the
 * `Host` and `Origin` headers.
 */

const hostnameOf = (host: string): string | null => {
  try {
    const url = new URL(`http://${host}`)
    // `user@host`, paths and the like are not what a Host header says.
    return url.host === host.toLowerCase() || `${url.hostname}:80` === host.toLowerCase() ? url.hostname : null
  } catch {
    return null
  }
}

/** Whether a hostname (IPv6 with or without brackets) can only mean this machine. */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname)

/**
 * The Host must be a loopback name (a rebound DNS name is not), and a page that asks must come from this very server
 * or from the allow-list. Programs other than browsers send no Origin.
 */
export const admitsLocally = (
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  allowed: ReadonlyArray<string>
): boolean => {
  const { host, origin } = headers
  if (host === undefined) return false
  const hostname = hostnameOf(host)
  if (hostname === null || !isLoopback(hostname)) return false
  if (origin === undefined || allowed.includes(origin)) return true
  return origin.toLowerCase() === `http://${host.toLowerCase()}`
}
