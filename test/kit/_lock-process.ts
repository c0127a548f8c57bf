import { spawn } from "node:child_process"
import { once } from "node:events"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { EMBEDDED_CACHE } from "../support/embedded-template.ts"

export interface LockProcess {
  /** What `acquireLock` gave, or "held". */
  readonly answer: "mine" | "held"
  /** Everything that the process wrote to stderr so far. */
  readonly errors: () => string
  signal(name: NodeJS.Signals): void
  readonly exited: Promise<number | null>
  /** Kills the process, as a crash would. */
  kill(): Promise<void>
}

interface LockProcessOptions {
  readonly node?: string
  /** A command line that becomes the process, such as `unshare …`. */
  readonly under?: readonly string[]
  /** JavaScript of the second argument of `acquireLock`. */
  readonly options?: string
  /** Run every 10 ms while the process has the lock, with `lock` in scope. */
  readonly work?: string
}

/** Starts a process that acquires the lock of a directory, and keeps it until it ends. */
export async function startLockProcess(
  directory: string,
  { node = process.execPath, under = [], options = "{}", work = "" }: LockProcessOptions = {},
): Promise<LockProcess> {
  const module = pathToFileURL(resolve(EMBEDDED_CACHE, "lock.mjs")).href
  const script = `import { acquireLock } from ${JSON.stringify(module)}
    import { appendFileSync, existsSync } from "node:fs"
    const lock = await acquireLock(${JSON.stringify(directory)}, ${options})
    process.stdout.write(lock ? "mine\\n" : "held\\n")
    setInterval(() => { if (lock) { ${work} } }, 10)`
  const [command = "", ...args] = [...under, node, "--input-type=module", "-e", script]
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  let errors = ""
  child.stderr.on("data", (bytes) => {
    errors += bytes
  })
  const exited = once(child, "exit").then(([code]) => code as number | null)
  const first = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  if (first.done) throw new Error(`the process ended: ${errors}`)
  return {
    answer: first.value as "mine" | "held",
    errors: () => errors,
    signal: (name) => void child.kill(name),
    exited,
    async kill() {
      child.kill("SIGKILL")
      await exited
    },
  }
}
