import { createHash } from "node:crypto"
import { closeSync, constants, openSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"

export interface Lock {
  /** Releases the lock. Later calls do nothing. */
  release(): Promise<void>
}

/** The flag of open(2) on BSD for an exclusive lock. Node has no name for it. */
const O_EXLOCK = 0x20
const TAKEN = new Set(["EADDRINUSE", "EACCES", "EAGAIN", "EWOULDBLOCK"])

/**
 * Locks a directory for this process. The result is undefined if another process has the lock. The kernel releases the
 * lock when the process ends, however it ends, so a lock is never stale.
 *
 * The lock excludes other processes on the same machine and in the same network namespace. It does not exclude processes
 * that share the directory over a network file system, or from another container.
 */
export function acquireLock(directory: string): Promise<Lock | undefined> {
  if (process.platform === "darwin" || process.platform.endsWith("bsd")) return acquireFile(join(directory, ".lock"))
  const { dev, ino } = statSync(directory, { bigint: true })
  const name = `majordomo-${createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32)}`
  return acquireName(process.platform === "win32" ? `\\\\.\\pipe\\${name}` : `\0${name}`)
}

/** Listens on a socket in the abstract namespace of Linux, or on a named pipe. The name is free when the process ends. */
function acquireName(path: string): Promise<Lock | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (TAKEN.has(error.code ?? "")) resolve(undefined)
      else reject(error)
    })
    server.listen({ path, exclusive: true }, () => {
      resolve(toLock(() => new Promise((done) => server.close(() => done()))))
    })
  })
}

async function acquireFile(path: string): Promise<Lock | undefined> {
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK
    const descriptor = openSync(path, flags, 0o600)
    return toLock(async () => closeSync(descriptor))
  } catch (error) {
    if (TAKEN.has((error as NodeJS.ErrnoException).code ?? "")) return undefined
    throw error
  }
}

/** Makes sure that `release` runs only once: after a second close, the file descriptor could belong to another file. */
function toLock(release: () => Promise<void>): Lock {
  let released: Promise<void> | undefined
  return {
    release() {
      released ??= release()
      return released
    },
  }
}
