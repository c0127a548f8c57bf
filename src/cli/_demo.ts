import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { Settings } from "../config/settings.ts"
import { CommandError } from "../core/errors.ts"
import { type DemoProvider, startDemoProvider } from "../server/demo.ts"
import { loadSettings } from "../server/settings.ts"
import { toDemoFile } from "./_demo-file.ts"

/** The first line of the demo's settings file. A directory without this file is never emptied. */
const MARK =
  "# Settings of `majordomo-gateway serve --demo`, which writes this file and empties the database beside it."

interface Demo {
  readonly settings: Settings
  readonly provider: DemoProvider
}

/**
 * Starts a fake provider and returns the settings of a demo. The demo has a directory of its own and reads no other
 * settings file and no environment variable, so it touches no real data and sends nothing to another machine.
 */
export async function openDemo(flags: { readonly host?: string; readonly port?: number }): Promise<Demo> {
  const configFile = toDemoFile()
  const dir = dirname(configFile)
  prepareDirectory(dir, configFile)
  const provider = await startDemoProvider()
  writeSettings({ configFile, dir, port: flags.port, provider: provider.origin })
  const { settings } = await loadSettings({
    configFile,
    cwd: dir,
    env: {},
    overrides: { "server.host": flags.host, "server.port": flags.port },
  })
  return { settings, provider }
}

function prepareDirectory(dir: string, configFile: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const isOurs = existsSync(configFile) && readFileSync(configFile, "utf8").startsWith(MARK)
  if (isOurs || readdirSync(dir).length === 0) return
  throw new CommandError(
    `${dir} contains something other than a demo: move it away, because the demo empties its directory`,
  )
}

interface DemoSettings {
  readonly configFile: string
  readonly dir: string
  /** Undefined or 0: it is not known yet. */
  readonly port: number | undefined
  /** The origin of the fake provider. */
  readonly provider: string
}

/** Writes the settings for the commands of the demo, too: `health --demo` asks this port, and `doctor --demo` this provider. */
function writeSettings({ configFile, dir, port, provider }: DemoSettings): void {
  const lines = [
    MARK,
    ...(port ? ["server:", `  port: ${port}`] : []),
    ...["storage:", "  driver: embedded", `  data_dir: ${JSON.stringify(dir)}`],
    ...["logging:", "  body_storage: postgres"],
    ...["pricing:", '  remote_url: ""'],
    "providers:",
    ...["openai", "anthropic", "gemini"].flatMap((name) => [`  ${name}:`, `    base_url: ${provider}`]),
    "",
  ]
  writeFileSync(configFile, lines.join("\n"), { mode: 0o600 })
}
