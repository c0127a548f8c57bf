import { closeSync, fsyncSync, openSync } from "node:fs"

/** Brings the names in a directory to the disk. Windows cannot open one, and orders renames itself. */
export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return
  const descriptor = openSync(directory, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
