import { createHash } from "node:crypto"
import { closeSync, constants, openSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"

/** A lock that the kernel releases when the process ends. */
interface SystemLock {
  release(): Promise<void>
}

/** The flag of open(2) on BSD for an exclusive lock. Node has no name for it. */
const O_EXLOCK = 0x20
const TAKEN = new Set(["EADDRINUSE", "EACCES", "EAGAIN", "EWOULDBLOCK"])

/** Whether the system has a lock of its own for directories. Elsewhere, the sockets of the leases take its part. */
export const HAS_SYSTEM_LOCK =
  process.platform === "win32" || process.platform === "darwin" || process.platform.endsWith("bsd")

/**
 * Acquires the lock that the system has for a directory: an open file on macOS and BSD, a named pipe on Windows. Returns
 * undefined if another process of this machine has it.
 */
export async function acquireSystemLock(directory: string): Promise<SystemLock | undefined> {
  if (!HAS_SYSTEM_LOCK) return { release: async () => {} }
  return process.platform === "win32" ? acquirePipe(directory) : acquireFile(join(directory, ".lock"))
}

function acquirePipe(directory: string): Promise<SystemLock | undefined> {
  const { dev, ino } = statSync(directory, { bigint: true })
  const name = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (TAKEN.has(error.code ?? "")) resolve(undefined)
      else reject(error)
    })
    server.listen({ path: `\\\\.\\pipe\\majordomo-${name}`, exclusive: true }, () => {
      resolve({ release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}

async function acquireFile(path: string): Promise<SystemLock | undefined> {
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK
    const descriptor = openSync(path, flags, 0o600)
    return { release: async () => closeSync(descriptor) }
  } catch (error) {
    if (TAKEN.has((error as NodeJS.ErrnoException).code ?? "")) return undefined
    throw error
  }
}
