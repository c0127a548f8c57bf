import { defineCommand } from "citty"
import { CommandError, explainSystemError } from "../core/errors.ts"
import { announceGateway } from "../operations/open/running.ts"
import { countWorkers } from "../server/budget.ts"
import { describeSettings } from "../server/describe.ts"
import { loadSettings } from "../server/settings.ts"
import { type RunningServer, startServer } from "../server/start.ts"
import { startPrimary } from "../server/workers/primary.ts"
import { isWorker, startWorker } from "../server/workers/worker.ts"
import { parsePort } from "./_args.ts"
import { createLog, type Log, logWarnings } from "./_log.ts"
import { print, printSecret } from "./_print.ts"
import { type ExitOnBug, exitOnBug, waitForShutdown } from "./_shutdown.ts"
import { showWaiting } from "./_waiting.ts"
import { welcome } from "./_welcome.ts"

export default defineCommand({
  meta: { name: "serve", description: "run the gateway until SIGINT, SIGTERM or SIGHUP" },
  args: {
    config: { type: "string", valueHint: "FILE", description: "read this settings file and no other" },
    host: { type: "string", valueHint: "H", description: "the address to listen on (default 127.0.0.1)" },
    port: { type: "string", valueHint: "N", description: "the port to listen on (default 7680; 0: any free one)" },
    "log-format": { type: "string", valueHint: "text|json", description: "log lines for people or for programs" },
    quiet: { type: "boolean", description: "log no line per request" },
    demo: { type: "boolean", description: "try it with sample data and a fake provider: no key, no network" },
  },
  async run({ args }) {
    const ownLog = createLog({ format: args["log-format"], quiet: args.quiet ?? false })
    const { log, end } = isWorker() ? { log: ownLog, end() {} } : showWaiting(ownLog)
    logWarnings(log)
    surviveLogErrors()
    const exit = exitOnBug(log.line)
    const parts = { args, log, exit, onReady: end }
    await (args.demo ? serveDemo(parts) : serve(parts)).catch((error: unknown) => {
      end()
      endLog(log, error)
    })
  },
})

/**
 * A log that cannot be written, because its disk is full or its reader has left, stops no gateway. Lines are lost until it
 * can be written again. Without this, the process would end at once, as other commands do.
 */
function surviveLogErrors(): void {
  process.stderr.removeAllListeners("error")
  process.stderr.on("error", () => {})
}

interface Args {
  readonly config?: string | undefined
  readonly host?: string | undefined
  readonly port?: string | undefined
}

/** A log of JSON has no other lines, not even for the error that ends the program. */
function endLog(log: Log, thrown: unknown): never {
  const error = explainSystemError(thrown)
  if (log.format === "text") throw error
  if (!(error instanceof CommandError)) {
    log.line("error", `internal error: ${error instanceof Error ? error.stack : String(error)}`)
    throw new CommandError("")
  }
  if (error.message !== "") log.line("error", error.message)
  throw new CommandError("", error.exitCode)
}

interface Parts {
  readonly args: Args
  readonly log: Log
  readonly exit: ExitOnBug
  /** Called before the banner. */
  onReady(): void
}

async function serve({ args, log, exit, onReady }: Parts): Promise<void> {
  if (isWorker()) {
    const worker = await startWorker({ log: log.line, onRecord: log.request })
    exit.flushSync = worker.flushSync
    onReady()
    return waitForShutdown(worker, log.line, worker)
  }
  const loaded = await loadSettings({
    configFile: args.config,
    overrides: { "server.host": args.host, "server.port": parsePort(args.port) },
  })
  const { settings, warnings } = loaded
  for (const warning of warnings) log.line("warn", warning)
  for (const line of describeSettings(loaded)) log.line("info", line)
  const options = { settings, log: log.line, onRecord: log.request }
  const server = countWorkers(settings) > 1 ? await startPrimary(options) : await startServer(options)
  exit.flushSync = server.flushSync
  onReady()
  process.once("exit", announceGateway(settings, server))
  // From the banner on, a signal drains the server.
  const stopped = waitForShutdown(server, log.line)
  await announce(server)
  await stopped
}

/** Prints the banner. A first key that cannot be shown is deleted, and the server stops: the next start creates another one. */
async function announce(server: RunningServer): Promise<void> {
  const banner = welcome(server)
  if (server.firstKey === undefined) return print(banner)
  const discard = () =>
    server.discardFirstKey().catch(() => {
      throw new CommandError("the first key could neither be shown nor be deleted: see keys list, and revoke it")
    })
  await printSecret(banner, discard).catch(async (error: unknown) => {
    await server.stop()
    throw error
  })
}

/** Serves the demo. Its code is loaded only here, and it does not touch real data. */
async function serveDemo({ args, log, exit, onReady }: Parts): Promise<void> {
  if (args.config !== undefined) throw new CommandError("--demo has its own settings: leave --config out", 2)
  const [{ openDemo }, { fillDemo }] = await Promise.all([import("./_demo.ts"), import("../server/demo.ts")])
  const { settings, provider } = await openDemo({ host: args.host, port: parsePort(args.port) })
  const options: Parameters<typeof startServer>[0] = {
    settings,
    log: log.line,
    onRecord: log.request,
    firstKey: (database) => fillDemo(database, settings),
  }
  const server = await startServer(options).catch(async (error: unknown) => {
    await provider.close()
    throw error
  })
  exit.flushSync = server.flushSync
  onReady()
  process.once("exit", announceGateway(settings, server))
  process.stdout.write(welcome({ ...server, isDemo: true }))
  await waitForShutdown(server, log.line)
}
