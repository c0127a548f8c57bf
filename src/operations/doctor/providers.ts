import { createTable } from "../../core/table.ts"
import { describeProxies } from "../../kit/proxy/proxies.ts"
import { ProxyError } from "../../kit/proxy/tunnel.ts"
import { isCloud } from "../../providers/_clouds.ts"
import { BUILT_IN_PROVIDERS } from "../../providers/catalog.ts"
import type { Context } from "../context.ts"
import { type Finding, findingsOf } from "./finding.ts"
import { readUsedProviders } from "./used-providers.ts"

const TIMEOUT_MS = 8_000
const MAX_SKEW_MS = 30_000

/**
 * Checks that each provider answers (with any status, because no credential is sent), and compares the clocks. A provider of
 * the defaults to which nobody sends requests is no problem: a firewall may close what is not used.
 */
export async function checkProviders({ settings }: Context<"settings">): Promise<Finding[]> {
  const { ok, warning, problem, skipped } = findingsOf("providers")
  const { proxies } = settings.upstream
  const dispatcher = proxies && (await import("../../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
  const probes = await Promise.all(
    Object.entries(settings.providers).map(async ([name, { baseUrl }]) => ({
      name,
      baseUrl,
      ...(await probe(baseUrl, dispatcher && { dispatcher })),
    })),
  )
  await dispatcher?.destroy()
  const isWell = probes.every(({ failure }) => failure === undefined)
  const used = isWell ? new Set<string>() : await readUsedProviders({ settings })
  const findings = probes.map(({ name, baseUrl, failure, isAtProxy }) => {
    if (failure === undefined) return ok(`${name} answers (${baseUrl})`)
    if (isOptional(name, baseUrl)) return skipped(`${name} cannot be reached (${failure}), and no setting names it`)
    const isUsed = used.has(name) || isAtProxy
    if (!isUsed && used.size > 0) {
      const why = "no setting names it, and no request of the last 30 days went to it"
      return skipped(`${name} cannot be reached (${failure}); ${why}`)
    }
    const fix = isAtProxy
      ? "correct the proxy (upstream.proxy, or HTTPS_PROXY and HTTP_PROXY), or except the host in NO_PROXY"
      : `correct providers.${name}.base_url, or let this machine reach it (DNS, firewall, proxy)`
    // Before the first request, nobody can know which of the defaults will be used.
    return (isUsed ? problem : warning)(`${name} cannot be reached at ${baseUrl}: ${failure}`, fix)
  })
  const reached = describeProxies(proxies).map(ok)
  return [...reached, ...findings, checkClock(probes.flatMap(({ skewMs }) => (skewMs === undefined ? [] : [skewMs])))]
}

/** Most gateways do not use the built-in cloud and the one of subscriptions, and a firewall may close them. */
function isOptional(name: string, baseUrl: string): boolean {
  const builtIn = BUILT_IN_PROVIDERS[name]
  return builtIn?.baseUrl === baseUrl && (isCloud(name) || builtIn.billing === "subscription")
}

function checkClock(skews: readonly number[]): Finding {
  const { ok, skipped, problem } = findingsOf("clock")
  // One of the providers may have a wrong clock, so the median counts.
  const skewMs = [...skews].sort((one, other) => one - other)[skews.length >> 1]
  if (skewMs === undefined) return skipped("no provider sent its time")
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return ok("it agrees with the providers' clocks")
  const found = `this machine's clock is ${seconds} s ${skewMs > 0 ? "behind" : "ahead of"} the providers' clocks`
  return problem(found, "set it by NTP: rows, prices by date and S3 signatures depend on it")
}

interface Probe {
  readonly failure: string | undefined
  /** The proxy is why. */
  readonly isAtProxy: boolean
  /** The provider's clock minus this machine's clock, in ms. */
  readonly skewMs: number | undefined
}

async function probe(baseUrl: string, through: object = {}): Promise<Probe> {
  const askedAt = Date.now()
  try {
    const response = await fetch(baseUrl, {
      ...through,
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.body?.cancel()
    const date = Date.parse(response.headers.get("date") ?? "")
    // The header has whole seconds, so on average half a second is missing.
    const skewMs = Number.isNaN(date) ? undefined : date + 500 - (askedAt + Date.now()) / 2
    return { failure: undefined, isAtProxy: false, skewMs }
  } catch (error) {
    const isAtProxy = (error as { readonly cause?: unknown }).cause instanceof ProxyError
    return { failure: toReason(error), isAtProxy, skewMs: undefined }
  }
}

const REASONS: Readonly<Record<string, string>> = createTable({
  ENOTFOUND: "the DNS does not know its name",
  EAI_AGAIN: "the DNS does not answer",
  ECONNREFUSED: "it refuses connections",
  ECONNRESET: "it closed the connection",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  ETIMEDOUT: "it did not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "it did not answer in time",
})

/** Returns why a request failed, without the address, which may contain a secret. */
function toReason(error: unknown): string {
  const { name, cause } = error as { readonly name?: string; readonly cause?: { readonly code?: string } }
  if (cause instanceof ProxyError) return cause.message
  if (name === "TimeoutError") return "it did not answer in time"
  const code = cause?.code ?? ""
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return `its certificate is not trusted (${code})`
  return REASONS[code] ?? (code === "" ? "the connection failed" : code)
}
