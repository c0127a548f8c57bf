import { existsSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { makeDirectory } from "../../kit/make-directory.ts"
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
 * @throws CommandError if a file cannot be written, or if the service could not read its program or its settings file
 */
export function installService(options: ServiceOptions): InstalledService {
  requireReadable(options)
  const { path, content, settingsDir, next } = toServiceDefinition(options)
  const written: string[] = []
  const write = (file: string, text: string, mode: number) => {
    try {
      makeDirectory(dirname(file), 0o777)
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

/**
 * The unit of the machine runs as a user of its own, who often cannot enter the home of the one who installs it. A service
 * of launchd runs as root.
 */
function requireReadable({ manager, scope, program, configFile }: ServiceOptions): void {
  if (manager !== "systemd" || scope !== "system") return
  for (const file of [...program, ...(configFile === undefined ? [] : [configFile])]) {
    const closed = listParents(file).find((path) => isClosedToOthers(path, path === file ? 0o004 : 0o001))
    if (closed === undefined) continue
    const why = `the service cannot read ${file}, because it has a user of its own and ${closed} is closed to other users`
    const todo =
      file === configFile
        ? "move it, for example to /etc/majordomo"
        : "install Node.js and the program outside of home directories, or use --user"
    throw new CommandError(`${why}: ${todo}`)
  }
}

/** Returns the path and the directories that contain it, from the top. */
function listParents(path: string): string[] {
  return dirname(path) === path ? [path] : [...listParents(dirname(path)), path]
}

function isClosedToOthers(path: string, bit: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && (stats.mode & bit) === 0
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
