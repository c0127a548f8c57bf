import { CommandError } from "../core/errors.ts"
import { checkHealth } from "../operations/health.ts"
import { parsePort } from "./_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { print, printJson, printMessage } from "./_print.ts"
import { loadCommandSettings } from "./_settings.ts"

export default defineCommand({
  meta: {
    name: "health",
    description: "check whether the gateway of these settings is ready; exit 0 if so, else 1 (for container checks)",
  },
  args: {
    host: { type: "string", valueHint: "H", description: "the host on which it listens (default: server.host)" },
    port: { type: "string", valueHint: "N", description: "its port (default: server.port)" },
    live: { type: "boolean", description: "only whether it answers at all, with or without its database" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway health", "majordomo-gateway health --live"],
  async run({ args }) {
    const { settings } = await loadCommandSettings({
      configFile: args.config,
      overrides: { "server.host": args.host, "server.port": parsePort(args.port) },
    })
    const { problem, ...health } = await checkHealth({ settings }, { live: args.live === true })
    if (args.json) printJson(health)
    if (problem !== undefined) throw new CommandError(problem)
    if (args.json) return
    for (const warning of health.warnings) printMessage(`warning: ${warning}`)
    print("ok")
  },
})
