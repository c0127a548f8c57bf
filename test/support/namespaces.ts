import { execFileSync } from "node:child_process"

/** Returns a command line that runs another one in its own namespaces, after the shell commands of `setup`. */
export function inNamespaces(flags: readonly ("--net" | "--mount" | "--pid")[], setup: string): readonly string[] {
  const forked = flags.includes("--pid") ? ["--fork", "--kill-child", "--mount-proc"] : []
  return ["unshare", ...flags, ...forked, "sh", "-c", `${setup} && exec "$@"`, "sh"]
}

/** Returns whether this user can do that here. It requires Linux, root, and a container that permits it. */
export function canRun([command = "", ...args]: readonly string[]): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false
  try {
    execFileSync(command, [...args, "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
