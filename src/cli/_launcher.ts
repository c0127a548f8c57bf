import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { readRuntimeEnvironment } from "../config/runtime-environment.ts"

const POLL_MS = 500
const SHELL = /^-?(?:sh|dash|bash|zsh|ash|busybox)$/

/**
 * Watches the npm (`npx` or `npm start`) that started this process; `gone` resolves when npm has ended. npm does not
 * pass every signal on, so a killed npm would leave the gateway running without anyone noticing. Between the two there
 * may be a shell, which stays until this process ends.
 */
export function watchLauncher(): { readonly gone: Promise<string>; forget(): void } {
  const { startedBy } = readRuntimeEnvironment()
  if (startedBy === undefined) return { gone: new Promise(() => {}), forget() {} }
  const parent = process.ppid
  const launcher = findLauncher(parent)
  let timer: NodeJS.Timeout | undefined
  const gone = new Promise<string>((resolve) => {
    timer = setInterval(() => {
      // On Windows, the number of the parent stays when it has ended.
      if (process.ppid === parent && isAlive(parent) && (launcher === undefined || isAlive(launcher))) return
      clearInterval(timer)
      resolve(`${startedBy}, which started the gateway, has ended`)
    }, POLL_MS).unref()
  })
  return { gone, forget: () => clearInterval(timer) }
}

/** Returns the parent of this process's parent, if the parent is a shell. */
function findLauncher(parent: number): number | undefined {
  const found = readProcess(parent)
  return found && SHELL.test(found.name) && found.parent > 1 ? found.parent : undefined
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

/** Reads a process by `ps`, where there is no /proc. */
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
