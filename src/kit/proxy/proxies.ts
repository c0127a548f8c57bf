import { BlockList, isIP, isIPv6 } from "node:net"

/** The proxies through which other hosts are reached. Plain data, which can be sent to a thread. */
export interface Proxies {
  /** The URL of the proxy for `https://` addresses, with its credentials. */
  readonly https: string | undefined
  /** The URL of the proxy for `http://` addresses, with its credentials. */
  readonly http: string | undefined
  /** The addresses that are reached directly, as in `NO_PROXY`: hosts with their subdomains, `host:port`, networks, or `*`. */
  readonly except: readonly string[]
}

/** The parts of an address that decide how it is reached. `URL` has them. */
interface Target {
  /** `https:` or `http:`. */
  readonly protocol: string
  /** The host without its port. An IPv6 address may have brackets. */
  readonly hostname: string
  /** Empty for the port of the protocol. */
  readonly port: string
}

/** Returns the proxy of an address, or undefined if it is reached directly, as all addresses of this machine are. */
export function findProxy(proxies: Proxies | undefined, target: Target): URL | undefined {
  const proxy = target.protocol === "https:" ? proxies?.https : proxies?.http
  if (proxies === undefined || proxy === undefined) return undefined
  const host = toHost(target.hostname)
  const port = toPort(target)
  if (isLoopback(host) || proxies.except.some((entry) => matches(entry, host, port))) return undefined
  return new URL(proxy)
}

/** Returns the port of an address as a number in text. */
export function toPort({ protocol, port }: Target): string {
  return port || (protocol === "https:" ? "443" : "80")
}

/** Returns a sentence for each proxy, with its host and its exceptions, without its credentials. */
export function describeProxies(proxies: Proxies | undefined): string[] {
  const { https, http, except = [] } = proxies ?? {}
  const exceptions = except.length === 0 ? "" : `, except for ${except.join(", ")}`
  const show = (scheme: string, proxy: string | undefined) => {
    if (proxy === undefined) return []
    const { protocol, host } = new URL(proxy)
    return [`Addresses with ${scheme} are reached through ${protocol}//${host}${exceptions}`]
  }
  return [...show("https://", https), ...show("http://", http)]
}

function toHost(hostname: string): string {
  return hostname
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase()
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === "localhost" || host.endsWith(".localhost")
  return host === "::1" || isIn("127.0.0.0/8", host)
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true
  if (entry.includes("/")) return isIn(entry, host)
  const [, name = "", ofPort] = isIPv6(entry) ? ["", entry] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? [])
  if (ofPort !== undefined && ofPort !== port) return false
  const domain = toHost(name).replace(/^\*?\./, "")
  return host === domain || (domain !== "" && host.endsWith(`.${domain}`))
}

/** Returns whether a host is an address in a network such as `10.0.0.0/8`. A name is in none, because it is not resolved. */
function isIn(network: string, host: string): boolean {
  const [address = "", bits = ""] = network.split("/")
  const family = isIP(address)
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false
  if (Number(bits) > (family === 4 ? 32 : 128)) return false
  const type = family === 4 ? "ipv4" : "ipv6"
  const list = new BlockList()
  list.addSubnet(address, Number(bits), type)
  return list.check(host, type)
}
