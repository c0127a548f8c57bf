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
  prepareDirectory(dir, configFile, flags.port)
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
  return { settings, provider }
}

function prepareDirectory(dir: string, configFile: string, port: number | undefined): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const isOurs = existsSync(configFile) && readFileSync(configFile, "utf8").startsWith(MARK)
  if (!isOurs && readdirSync(dir).length > 0) {
    throw new CommandError(
      `${dir} contains something other than a demo: move it away, because the demo empties its directory`,
    )
  }
  const storage = ["storage:", "  driver: embedded", `  data_dir: ${JSON.stringify(dir)}`]
  // `health --demo` then asks the right port; 0 stands for a port that is not known yet.
  const server = port ? ["server:", `  port: ${port}`] : []
  const logging = ["logging:", "  body_storage: postgres"]
  const lines = [MARK, ...server, ...storage, ...logging, "pricing:", '  remote_url: ""', ""]
  writeFileSync(configFile, lines.join("\n"), { mode: 0o600 })
}
