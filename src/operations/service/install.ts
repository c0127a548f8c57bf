import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { type ServiceOptions, toServiceDefinition } from "./definition.ts"

interface InstalledService {
  /** The files that were written. Files with settings are created only if they do not exist. */
  readonly written: readonly string[]
  /** The command that starts the service. */
  readonly next: string
}

/**
 * Writes the file that describes the service, and beside it empty files for settings and secrets.
 *
 * @throws CommandError if a file cannot be written
 */
export function installService(options: ServiceOptions): InstalledService {
  const { path, content, settingsDir, next } = toServiceDefinition(options)
  const written: string[] = []
  const write = (file: string, text: string, mode: number) => {
    try {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text, { mode })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const hint = options.scope === "system" ? "run it as root, or with --user" : "correct its permissions"
      throw new CommandError(`${file} cannot be written (${code}): ${hint}`)
    }
    written.push(file)
  }
  for (const [file, text, mode] of toSettingsFiles(options, settingsDir)) if (!existsSync(file)) write(file, text, mode)
  write(path, content, 0o644)
  return { written, next }
}

type SettingsFile = readonly [path: string, text: string, mode: number]

function toSettingsFiles({ manager, scope, configFile }: ServiceOptions, settingsDir: string): readonly SettingsFile[] {
  const dataDir = scope === "system" ? "storage:\n  data_dir: /var/lib/majordomo\n" : ""
  const settings = `# The settings of the gateway and of its commands. Secrets belong into gateway.env.\n${dataDir}`
  const secrets = "# MAJORDOMO_STORAGE_POSTGRES_URL=postgres://USER:PASSWORD@HOST/DATABASE\n"
  return [
    ...(configFile === undefined ? [[join(settingsDir, "majordomo.yaml"), settings, 0o644] as const] : []),
    // launchd reads no such file.
    ...(manager === "systemd" ? [[join(settingsDir, "gateway.env"), secrets, 0o600] as const] : []),
  ]
}
