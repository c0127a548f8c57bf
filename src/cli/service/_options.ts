import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { findHomeDirectory } from "../../kit/home-directory.ts"
import type { ServiceOptions } from "../../operations/service/definition.ts"
import { loadSettings } from "../../server/settings.ts"

export const SERVICE_OPTIONS = {
  user: { type: "boolean", description: "a service of this user, not of the machine" },
  manager: { type: "string", valueHint: "systemd|launchd", description: "default: the one of this system" },
  config: { type: "string", valueHint: "FILE", description: "the settings file of the service" },
} as const

const ON_WINDOWS =
  "Windows has neither systemd nor launchd: run majordomo-gateway serve by the Task Scheduler, or by a program that makes services of programs"

export async function toServiceOptions(args: {
  readonly user?: boolean
  readonly manager?: string
  readonly config?: string
}): Promise<ServiceOptions> {
  if (process.platform === "win32" && args.manager === undefined) throw new CommandError(ON_WINDOWS)
  const { settings } = await loadSettings({ configFile: args.config })
  return {
    manager: parseManager(args.manager ?? (process.platform === "darwin" ? "launchd" : "systemd")),
    scope: args.user ? "user" : "system",
    program: [process.execPath, realpathSync(process.argv[1]!)],
    configFile: args.config === undefined ? undefined : resolve(args.config),
    homeDir: findHomeDirectory(),
    shutdownTimeoutMs: settings.server.shutdownTimeoutMs,
  }
}

function parseManager(text: string): ServiceOptions["manager"] {
  if (text === "systemd" || text === "launchd") return text
  throw new CommandError(`--manager: expected systemd or launchd, got ${JSON.stringify(text)}`, 2)
}
