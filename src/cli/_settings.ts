import { dirname } from "node:path"
import { loadSettings } from "../server/settings.ts"
import { toDemoFile } from "./_demo-file.ts"

type SettingsRequest = NonNullable<Parameters<typeof loadSettings>[0]>

/** Loads the settings of a command. The demo reads no environment variable, so that a command never sees other data. */
export function loadCommandSettings(request: Pick<SettingsRequest, "configFile" | "overrides">) {
  const isDemo = request.configFile === toDemoFile()
  return loadSettings(isDemo ? { ...request, cwd: dirname(toDemoFile()), env: {} } : request)
}
