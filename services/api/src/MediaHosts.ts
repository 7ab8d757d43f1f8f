import { BlockList, isIP } from "node:net"

/**
 * Which URLs may be fetched: pure decisions. An entry of `REELAY_MEDIA_HOSTS` is a name (`media.example.com`), all names below
 * one (`.example.com`, also written `*.example.com`) or an address (`10.1.2.3`, `[fd00::5]`), each with `:port` or for the
 * usual ports only. A name must lead to the public internet, so that whoever controls a name (or its DNS) cannot make us call
 * what only we can reach; a private host is listed by its address.
 */
export interface MediaHost {
  readonly name: string
  readonly below: boolean
  /** Null: 80 for http, 443 for https. */
  readonly port: number | null
}

const withoutDot = (name: string): string => name.replace(/\.$/, "")

/** Null: not a host. */
export const mediaHost = (entry: string): MediaHost | null => {
  const rest = entry.replace(/^\*?\./, "")
  const below = rest !== entry
  try {
    const url = new URL(`http://${rest}`)
    const port = /:(\d+)$/.exec(rest)?.[1]
    if (url.href !== `http://${url.host}/` || (below && addressIn(url.hostname) !== null)) return null
    return { name: withoutDot(url.hostname), below, port: port === undefined ? null : Number(port) }
  } catch {
    return null
  }
}

/** The address that a URL's host is, rather than a name. */
const addressIn = (hostname: string): string | null => {
  const bare = hostname.replace(/^\[|\]$/g, "")
  return isIP(bare) === 0 ? null : bare
}

const portOf = (url: URL): number | null =>
  url.port !== "" ? Number(url.port) : url.protocol === "https:" ? 443 : url.protocol === "http:" ? 80 : null

const isUsual = (url: URL): boolean => url.port === ""

export const isListed = (url: URL, hosts: ReadonlyArray<MediaHost>): boolean => {
  const name = withoutDot(url.hostname)
  return hosts.some(
    (host) =>
      (host.below ? name.endsWith(`.${host.name}`) : name === host.name)
      && (host.port === null ? isUsual(url) : host.port === portOf(url))
  )
}

/** RFC 6890 and its successors: what is not on the public internet, or may mean something that is not. */
const NOT_PUBLIC = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Tunnels, whose addresses hold others, and the documentation's.
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20"
]

const subnets = (ranges: ReadonlyArray<string>): BlockList => {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = "", bits] = range.split("/")
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? "ipv6" : "ipv4")
  }
  return list
}
const notPublic = subnets(NOT_PUBLIC)
const globalUnicast = subnets(["2000::/3"])

/** Whether an address is one of the public internet. */
export const isPublic = (address: string): boolean => {
  switch (isIP(address)) {
    case 4:
      return !notPublic.check(address, "ipv4")
    case 6:
      return globalUnicast.check(address, "ipv6") && !notPublic.check(address, "ipv6")
    default:
      return false
  }
}
