import { CommandError } from "../core/errors.ts"
import { loadSettings } from "../server/settings.ts"
import { parsePort } from "./_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { askGateway, toLocalOrigin } from "./_gateway.ts"
import { print, printJson } from "./_print.ts"

/** Longer than the 3 s that the gateway itself gives its database. */
const TIMEOUT_MS = 4_500

export default defineCommand({
  meta: {
    name: "health",
    description: "ask the gateway of these settings whether it is ready; exit 0 if so, else 1 (for container checks)",
  },
  args: {
    host: { type: "string", valueHint: "H", description: "where it listens (default: server.host)" },
    port: { type: "string", valueHint: "N", description: "its port (default: server.port)" },
    live: { type: "boolean", description: "only whether it answers at all, with or without its database" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway health", "majordomo-gateway health --live"],
  async run({ args }) {
    const { settings } = await loadSettings({
      configFile: args.config,
      overrides: { "server.host": args.host, "server.port": parsePort(args.port) },
    })
    const origin = toLocalOrigin(settings.server)
    const said = await askGateway(origin, args.live ? "/health" : "/readyz", TIMEOUT_MS)
    if (args.json) printJson({ healthy: said.status === 200, gateway: origin, status: said.status ?? null })
    if (said.status !== 200) throw new CommandError(whyNot(origin, said))
    if (!args.json) print("ok")
  },
})

function whyNot(origin: string, { status, body }: Awaited<ReturnType<typeof askGateway>>): string {
  if (status === undefined) return `no gateway answers at ${origin}: start it, or correct server.host and server.port`
  return `the gateway at ${origin} is not ready: ${readReason(body) ?? `it answered ${status}`}`
}

function readReason(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown }
    return typeof error === "string" ? error : undefined
  } catch {
    return undefined
  }
}
