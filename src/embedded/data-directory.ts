import { chmodSync, mkdirSync, statSync } from "node:fs"
import { CommandError } from "../core/errors.ts"

/**
 * Creates the data directory and makes it accessible to its owner only, because PGlite creates files that other users
 * could read. Throws `CommandError` when it cannot be used.
 */
export function prepareDataDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const { mode } = statSync(dataDir)
    if (process.platform === "win32") return
    if (mode & 0o1000) throw new Error("all users share it; set it to a directory of its own")
    if (mode & 0o077) chmodSync(dataDir, 0o700)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(`storage.data_dir: cannot use ${dataDir}: ${code ?? message}`)
  }
}
