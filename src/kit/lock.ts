import { createHash } from "node:crypto"
import { closeSync, constants, openSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"

export interface Lock {
  /** Once; later calls do nothing. */
  release(): Promise<void>
}

/** BSD's open(2) flag for an exclusive flock; node has no name for it. */
const O_EXLOCK = 0x20
const TAKEN = new Set(["EADDRINUSE", "EACCES", "EAGAIN", "EWOULDBLOCK"])

/**
 * Takes the directory for this process, or says that another has it (undefined). The kernel gives it back when the
 * process ends in whatever way, so there is no stale lock. It holds within one machine and one network namespace: not
 * over a network file system, nor between two containers on one volume.
 */
export function acquireLock(directory: string): Promise<Lock | undefined> {
  if (process.platform === "darwin" || process.platform.endsWith("bsd")) return acquireFile(join(directory, ".lock"))
  const { dev, ino } = statSync(directory, { bigint: true })
  const name = `majordomo-${createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32)}`
  return acquireName(process.platform === "win32" ? `\\\\.\\pipe\\${name}` : `\0${name}`)
}

/** A socket in Linux' abstract name space, or a named pipe: its name is free again when its process is gone. */
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

/** A number of a file that is closed twice may be another's the second time. */
function toLock(release: () => Promise<void>): Lock {
  let released: Promise<void> | undefined
  return {
    release() {
      released ??= release()
      return released
    },
  }
}
