import type { IncomingMessage, ServerResponse } from "node:http"
import { isIP } from "node:net"
import { reject } from "./reject.ts"

/** Decides by the Host header which requests are answered. */
interface HostCheck {
  /** Returns true for a request that must be rejected: `server.allowed_hosts` is set, and its Host is not in it. */
  rejects(request: IncomingMessage): boolean
  /** The same for the gateway's own routes, which need no key. */
  rejectsOwn(request: IncomingMessage): boolean
}

/**
 * Creates the check of the Host header, which stops DNS rebinding: a website whose name resolves to this machine could
 * otherwise read answers in the browser of somebody on it. Such a request always names a domain, so that addresses and
 * `localhost` are accepted. Without `allowedHosts`, a gateway that listens on the loopback interface protects the routes
 * that need no key; all other requests need a key, which the website does not have.
 * @param listensOn the address of the listener
 */
export function createHostCheck(listensOn: string, allowedHosts: readonly string[]): HostCheck {
  const allowed = allowedHosts.map((host) => host.toLowerCase())
  const isKnown = ({ headers: { host } }: IncomingMessage): boolean => {
    if (host === undefined) return true
    const name = toName(host)
    return (
      isLocalName(name) ||
      allowed.some((each) => (each.startsWith("*.") ? name.endsWith(each.slice(1)) : each === name))
    )
  }
  return {
    rejects: allowed.length === 0 ? () => false : (request) => !isKnown(request),
    rejectsOwn: allowed.length === 0 && !isLoopback(listensOn) ? () => false : (request) => !isKnown(request),
  }
}

/** Whether an address of a listener is reached from this machine only. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "localhost" || address === "::1"
}

/** @param setting the setting that takes further names */
export function rejectHost(response: ServerResponse, setting: "server.allowed_hosts" | "admin.hosts"): void {
  const message = `The Host of this request is not a name of this gateway. Use its address, or add the name to ${setting}.`
  reject(response, 403, "unknown_host", message)
}

/** Returns a Host header without its port, the brackets of IPv6 and the dot of the root. */
function toName(host: string): string {
  const [, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? []
  return (bracketed ?? plain).toLowerCase().replace(/\.$/, "")
}

function isLocalName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0
}
