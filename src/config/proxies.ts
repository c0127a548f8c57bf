import type { Proxies } from "../kit/proxy/proxies.ts"
import type { Variables } from "./environment.ts"
import { type Notes, toProblemLine } from "./sources.ts"
import { INVALID, proxyAddress } from "./value-parsers.ts"

/**
 * Returns the proxies of `upstream.proxy`, or undefined if there are none. The exceptions are always those of `NO_PROXY`.
 * @param used is called with each variable that names a proxy
 */
export function readProxies(
  setting: string,
  env: Variables,
  notes: Notes,
  used: (variable: string) => void,
): Proxies | undefined {
  if (setting === "none") return undefined
  const except = (findVariable(env, "no_proxy")?.value ?? "").split(/[\s,]+/).filter((entry) => entry !== "")
  if (setting !== "environment") return { https: setting, http: setting, except }
  const read = (name: string): string | undefined => {
    const found = findVariable(env, name)
    if (found === undefined) return undefined
    const address = proxyAddress.parse(found.value, "")
    if (address !== INVALID) {
      used(found.variable)
      return address
    }
    const why = `expected ${proxyAddress.expected}, got another value (not shown); to use no proxy, set upstream.proxy: none`
    notes.problems.push(toProblemLine(found.variable, "environment", why))
    return undefined
  }
  const [https, http] = [read("https_proxy"), read("http_proxy")]
  return https === undefined && http === undefined ? undefined : { https, http, except }
}

/** The lower-case name takes precedence, as in curl. An empty variable counts as unset. */
function findVariable(env: Variables, name: string): { readonly variable: string; readonly value: string } | undefined {
  for (const variable of [name, name.toUpperCase()]) {
    const value = env[variable]?.trim()
    if (value) return { variable, value }
  }
  return undefined
}
