import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Settings } from "../config/settings.ts"
import { CommandError } from "../core/errors.ts"
import { type DemoProvider, startDemoProvider } from "../server/demo.ts"
import { loadSettings } from "../server/settings.ts"

/** Tells the demo's directory from any other: only one that has it is ever emptied. */
const MARK =
  "# Settings of `majordomo-gateway serve --demo`, which writes this file and empties the database beside it."

export interface Demo {
  readonly settings: Settings
  readonly provider: DemoProvider
  /** The file by which other commands look at the demo. */
  readonly configFile: string
}

/**
 * The settings of a demo: a directory of its own, a fake provider of its own, nothing from files or the environment, so that
 * nothing real is touched and nothing leaves this machine.
 */
export async function openDemo(flags: { readonly host?: string; readonly port?: number }): Promise<Demo> {
  const dir = join(homedir(), ".majordomo-demo")
  const configFile = prepareDirectory(dir)
  const provider = await startDemoProvider()
  const { settings } = await loadSettings({
    configFile,
    cwd: dir,
    env: {},
    overrides: {
      "server.host": flags.host,
      "server.port": flags.port,
      "providers.openai.base_url": provider.origin,
      "providers.anthropic.base_url": provider.origin,
      "providers.gemini.base_url": provider.origin,
    },
  })
  return { settings, provider, configFile }
}

function prepareDirectory(dir: string): string {
  const configFile = join(dir, "majordomo.yaml")
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const isOurs = existsSync(configFile) && readFileSync(configFile, "utf8").startsWith(MARK)
  if (!isOurs && readdirSync(dir).length > 0) {
    throw new CommandError(`${dir} holds something else than a demo: move it away, for the demo empties its directory`)
  }
  const storage = ["storage:", "  driver: embedded", `  data_dir: ${JSON.stringify(dir)}`]
  writeFileSync(configFile, [MARK, ...storage, "pricing:", '  remote_url: ""', ""].join("\n"), { mode: 0o600 })
  return configFile
}
