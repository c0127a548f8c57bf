import { closeSync, fsyncSync, openSync } from "node:fs"

/**
 * Syncs the names in a directory to disk. Does nothing on Windows, which cannot open directories and orders renames
 * itself.
 */
export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return
  const descriptor = openSync(directory, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
