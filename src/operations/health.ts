import type { Context } from "./context.ts"
import { fetchOwnPage, readReadiness, toLocalOrigin } from "./gateway-client.ts"

/** Longer than the 3 s that the gateway gives its database. */
const TIMEOUT_MS = 4_500

interface Health {
  readonly healthy: boolean
  /** The origin that was requested. */
  readonly gateway: string
  /** The HTTP status; null if no gateway answered. */
  readonly status: number | null
  /** Why the gateway is not healthy; undefined if it is. */
  readonly problem: string | undefined
  /** Conditions that an operator should know, although the gateway may be ready. */
  readonly warnings: readonly string[]
}

/** Checks whether the gateway of the settings is ready; `live`: only whether it answers. */
export async function checkHealth(
  { settings }: Context<"settings">,
  { live }: { readonly live: boolean },
): Promise<Health> {
  const gateway = toLocalOrigin(settings.server)
  const { status, body } = await fetchOwnPage(gateway, live ? "/health" : "/readyz", TIMEOUT_MS)
  const healthy = status === 200
  const problem = healthy ? undefined : toProblem(gateway, status, body)
  return { healthy, gateway, status: status ?? null, problem, warnings: readReadiness(body).warnings }
}

function toProblem(gateway: string, status: number | undefined, body: string): string {
  if (status === undefined) return `no gateway answers at ${gateway}: start it, or correct server.host and server.port`
  return `the gateway at ${gateway} is not ready: ${readReadiness(body).error ?? `it answered ${status}`}`
}
