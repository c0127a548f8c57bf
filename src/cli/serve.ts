import { defineCommand } from "citty"
import { loadSettings } from "../config/load.ts"
import { startServer } from "../server/start.ts"
import { parsePort } from "./_args.ts"
import { createLog } from "./_log.ts"
import { welcome } from "./_welcome.ts"

export default defineCommand({
  meta: { name: "serve", description: "Run the gateway until SIGINT or SIGTERM" },
  args: {
    config: { type: "string", valueHint: "FILE", description: "Read this settings file alone" },
    host: { type: "string", valueHint: "H", description: "Address to listen on (default 127.0.0.1)" },
    port: { type: "string", valueHint: "N", description: "Port to listen on (default 7680; 0: any free one)" },
    "log-format": { type: "string", valueHint: "text|json", description: "Log lines for people or for machines" },
    quiet: { type: "boolean", description: "No line per request" },
  },
  async run({ args }) {
    const { settings, warnings } = await loadSettings({
      configFile: args.config,
      overrides: { "server.host": args.host, "server.port": parsePort(args.port) },
    })
    const log = createLog({ format: args["log-format"], quiet: args.quiet ?? false })
    for (const warning of warnings) log.line("warn", warning)
    const server = await startServer({ settings, log: log.line, onRecord: log.request })
    process.stdout.write(welcome(server))
    await untilStopped(server, log.line)
  },
})

type Log = ReturnType<typeof createLog>

/** The first signal drains; a second one ends at once. */
async function untilStopped(server: Awaited<ReturnType<typeof startServer>>, log: Log["line"]): Promise<void> {
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, resolve)
  })
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => process.exit(1))
  log("info", `${signal}: letting running requests finish (a second signal ends at once)`)
  const { written, waiting } = await server.stop()
  const rest = waiting === 0 ? "" : `, ${waiting} waiting in the journal: they are written at the next start`
  log(waiting === 0 ? "info" : "warn", `Stopped. ${written} rows written${rest}.`)
  process.exit(0)
}
