import type { Settings } from "../../config/settings.ts"
import { askGateway, toLocalOrigin } from "../_gateway.ts"
import { type Finding, finder } from "./_finding.ts"

const TIMEOUT_MS = 8_000
const MAX_SKEW_MS = 30_000

/** Whether each provider answers at all (any status does, for no credential is sent), and what their clocks say of ours. */
export async function checkProviders({ providers }: Settings): Promise<Finding[]> {
  const say = finder("providers")
  const reached = await Promise.all(
    Object.entries(providers).map(async ([name, { baseUrl }]) => ({ name, baseUrl, ...(await reach(baseUrl)) })),
  )
  const findings = reached.map(({ name, baseUrl, problem }) => {
    if (problem === undefined) return say.ok(`${name} answers (${baseUrl})`)
    const fix = `correct providers.${name}.base_url, or let this machine reach it (DNS, firewall, proxy)`
    return say.problem(`${name} cannot be reached at ${baseUrl}: ${problem}`, fix)
  })
  return [...findings, aboutClock(reached.flatMap(({ skewMs }) => (skewMs === undefined ? [] : [skewMs])))]
}

function aboutClock(skews: readonly number[]): Finding {
  const say = finder("clock")
  // Several agree, or one of them is wrong: the middle one is believed.
  const skewMs = [...skews].sort((one, other) => one - other)[skews.length >> 1]
  if (skewMs === undefined) return say.skipped("no provider said what time it is")
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return say.ok("it agrees with the providers'")
  const text = `this machine's clock is ${seconds} s ${skewMs > 0 ? "behind" : "ahead of"} the providers'`
  return say.problem(text, "set it by NTP: rows, prices by date and S3 signatures go by it")
}

interface Reached {
  readonly problem: string | undefined
  /** The provider's clock less ours, in ms. */
  readonly skewMs: number | undefined
}

async function reach(baseUrl: string): Promise<Reached> {
  const askedAt = Date.now()
  try {
    const response = await fetch(baseUrl, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.body?.cancel()
    const date = Date.parse(response.headers.get("date") ?? "")
    // The header has whole seconds: half of one is added.
    const skewMs = Number.isNaN(date) ? undefined : date + 500 - (askedAt + Date.now()) / 2
    return { problem: undefined, skewMs }
  } catch (error) {
    return { problem: toReason(error), skewMs: undefined }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is not known to the DNS",
  EAI_AGAIN: "the DNS does not answer",
  ECONNREFUSED: "it refuses connections",
  ECONNRESET: "it broke the connection off",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ETIMEDOUT: "it did not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "it did not answer in time",
}

/** Without the address, which may hold more than a host. */
function toReason(error: unknown): string {
  const { name, cause } = error as { readonly name?: string; readonly cause?: { readonly code?: string } }
  if (name === "TimeoutError") return "it did not answer in time"
  const code = cause?.code ?? ""
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) return `its certificate is not trusted (${code})`
  return REASONS[code] ?? (code === "" ? "the connection failed" : code)
}

/** Whether `serve` can have its port, or is running already. */
export async function checkPort({ server }: Settings): Promise<Finding[]> {
  const say = finder("gateway")
  const origin = toLocalOrigin(server)
  const { status, body } = await askGateway(origin, "/health", 3_000)
  if (status === undefined) return [say.ok(`nobody answers at ${origin}: serve can take the port`)]
  if (status !== 200 || body !== "ok") {
    const fix = `stop it, or choose another server.port`
    return [say.warning(`another program than the gateway answers at ${origin}`, fix)]
  }
  const ready = await askGateway(origin, "/readyz", 4_500)
  if (ready.status === 200) return [say.ok(`it runs at ${origin} and is ready`)]
  return [say.problem(`it runs at ${origin} and is not ready: ${ready.body || ready.status}`, "see its log")]
}
