import { existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"

/**
 * Creates a directory and those above it, if they are missing. Node's own recursive mkdir never returns where a file system
 * answers ENOENT to every mkdir, as /proc does.
 *
 * @throws the error of the first mkdir that fails
 */
export function makeDirectory(path: string, mode = 0o700): void {
  if (existsSync(path)) return
  if (dirname(path) !== path) makeDirectory(dirname(path), mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Another process may have created it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
}
