import { execFileSync } from "node:child_process"
import { cpSync } from "node:fs"

/** Copies a directory with its owners, permissions and times. `to` must not exist. */
export function copyTree(from: string, to: string): void {
  if (process.platform === "win32") cpSync(from, to, { recursive: true, preserveTimestamps: true })
  else execFileSync("cp", ["-a", from, to])
}
