import { execFileSync } from "node:child_process"

/** A command line that runs what follows it in namespaces of its own, after `setup` (shell) was run in them. */
export function inNamespaces(flags: readonly ("--net" | "--mount")[], setup: string): readonly string[] {
  return ["unshare", ...flags, "sh", "-c", `${setup} && exec "$@"`, "sh"]
}

/** Whether this user may do that here: it takes Linux and root, and a container that is not too strict. */
export function canRun([command = "", ...args]: readonly string[]): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false
  try {
    execFileSync(command, [...args, "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
