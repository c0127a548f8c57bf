import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { readRuntimeEnvironment } from "../config/runtime-environment.ts"

const LOOK_EVERY_MS = 500
const SHELL = /^-?(?:sh|dash|bash|zsh|ash|busybox)$/

/**
 * Resolves when the `npx` that started this process has ended. It passes no signals on: killed, it would leave a
 * gateway behind that nobody knows of. Between the two there may be a shell, which stays until we end.
 */
export function watchLauncher(): { readonly gone: Promise<string>; forget(): void } {
  if (!readRuntimeEnvironment().isNpx) return { gone: new Promise(() => {}), forget() {} }
  const parent = process.ppid
  const launcher = findLauncher(parent)
  let timer: NodeJS.Timeout | undefined
  const gone = new Promise<string>((resolve) => {
    timer = setInterval(() => {
      if (process.ppid === parent && (launcher === undefined || isAlive(launcher))) return
      clearInterval(timer)
      resolve("npx, which started the gateway, is gone")
    }, LOOK_EVERY_MS).unref()
  })
  return { gone, forget: () => clearInterval(timer) }
}

/** The parent of our parent, if that one is a shell. */
function findLauncher(parent: number): number | undefined {
  const seen = readProcess(parent)
  return seen && SHELL.test(seen.name) && seen.parent > 1 ? seen.parent : undefined
}

function readProcess(pid: number): { readonly parent: number; readonly name: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const end = stat.lastIndexOf(")")
    return { name: stat.slice(stat.indexOf("(") + 1, end), parent: Number(stat.slice(end + 2).split(" ")[1]) }
  } catch {
    return askPs(pid)
  }
}

/** Where there is no /proc. */
function askPs(pid: number): { readonly parent: number; readonly name: string } | undefined {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      encoding: "utf8",
      timeout: 2000,
      stdio: ["ignore", "pipe", "ignore"],
    }
    const [parent, name] = execFileSync("ps", ["-o", "ppid=,comm=", "-p", String(pid)], options)
      .trim()
      .split(/\s+/, 2)
    return { parent: Number(parent), name: (name ?? "").replace(/^.*\//, "") }
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
