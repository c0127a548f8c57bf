import type { Settings } from "../../config/settings.ts"
import { describeStorage } from "../../database/open.ts"
import type { Context } from "../context.ts"
import { fetchOwnPage, readReadiness, toLocalOrigin } from "../gateway-client.ts"
import { findRunningGateways } from "../open/running.ts"
import { type Finding, findingsOf } from "./finding.ts"

const { ok, warning, problem } = findingsOf("gateway")

/**
 * Returns where the gateway with these settings listens. A running gateway of this user with the same database may have
 * been started with another port (`serve --port`).
 */
function findOrigin({ server, storage }: Settings): string {
  const database = describeStorage(storage)
  const running = findRunningGateways().find((each) => each.database === database && each.port !== undefined)
  return toLocalOrigin(running ? { host: running.host!, port: running.port! } : server)
}

/** Checks that `serve` can listen on its port, or that a gateway runs there and is ready. */
export async function checkGateway({ settings }: Context<"settings">): Promise<Finding[]> {
  const origin = findOrigin(settings)
  const { status, body } = await fetchOwnPage(origin, "/health", 3_000)
  if (status === undefined) return [ok(`nothing answers at ${origin}: serve can use the port`)]
  if (status !== 200 || body !== "ok") {
    const fix = "stop it, or choose another server.port"
    return [warning(`a program other than the gateway answers at ${origin}`, fix)]
  }
  const ready = await fetchOwnPage(origin, "/readyz", 4_500)
  const { error, warnings } = readReadiness(ready.body)
  const state =
    ready.status === 200
      ? ok(`it runs at ${origin} and is ready`)
      : problem(`it runs at ${origin} and is not ready: ${error ?? ready.status}`, "see its log")
  return [state, ...warnings.map((message) => warning(message))]
}
