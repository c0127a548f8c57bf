import { randomBytes } from "node:crypto"
import { renameSync, rmSync, statSync, utimes, utimesSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import type { LeaseFile, LockFolder } from "./folder.ts"

export interface LeaseTiming {
  /** How often the owner renews its lease. */
  readonly renewMs: number
  /** How long after a renewal the owner may write without looking at its lease. */
  readonly validMs: number
  /** How long another process must see no renewal until it declares the owner dead. Longer than `validMs`. */
  readonly expiryMs: number
}

/** Another process has the directory: this one was frozen, or another directory has taken the place of its own. */
export class LockLostError extends Error {
  override readonly name = "LockLostError"
}

/** The file of this process in the directory of the leases. Its modification time says when it was renewed. */
export interface Lease {
  readonly name: string
  /** Until when this process may write without a further look, in ms since the epoch. Threads may share it. */
  readonly validUntil: Float64Array
  /** Returns whether the lease is this process's. Costs one comparison, unless the last renewal is long ago. */
  isHeld(): boolean
  /** Renews the lease from now on. Throws a `LockLostError` from a timer when another process has taken over. */
  keep(): void
  release(): Promise<void>
}

/** Errors of bind(2) on a file system without sockets. */
const NO_SOCKETS = new Set(["EPERM", "EACCES", "EOPNOTSUPP", "ENOTSUP", "EINVAL", "ENOSYS", "EIO"])

/**
 * Writes the lease of this process: a socket, which the kernel closes when the process ends, or a file where there are no
 * sockets. Returns undefined if another process acquired the lock in the meantime.
 */
export async function createLease(folder: LockFolder, boot: string, timing: LeaseTiming): Promise<Lease | undefined> {
  const file = await createFile(folder, boot)
  if (!file) return undefined
  const { name, closeSocket } = file
  const path = folder.pathOf(name)
  const { stop, ...renewal } = createRenewal(folder, path, timing)
  return {
    name,
    ...renewal,
    async release() {
      stop()
      rmSync(path, { force: true })
      await closeSocket?.()
    },
  }
}

interface Renewal extends Pick<Lease, "validUntil" | "isHeld" | "keep"> {
  stop(): void
}

/** Renews the lease at a path by its modification time. */
function createRenewal(folder: LockFolder, path: string, timing: LeaseTiming): Renewal {
  const validUntil = new Float64Array(new SharedArrayBuffer(8))
  const renewed = (atMs: number) => {
    validUntil[0] = atMs + timing.validMs
  }
  renewed(Date.now())
  let timer: NodeJS.Timeout | undefined
  let isPending = false
  let isStopped = false
  let isLost = false
  let isDeleted = false

  function renewSync(): boolean {
    const now = Date.now()
    try {
      utimesSync(path, now / 1000, now / 1000)
    } catch (error) {
      return isMissing(error) && explainMissing()
    }
    renewed(now)
    return true
  }

  function renew(): void {
    if (folder.isReplaced()) return void lose("another process uses its path: it was moved or deleted")
    // Node's threads may all wait for something else, such as a name server that does not answer.
    if (isPending) return void renewSync()
    const now = Date.now()
    isPending = true
    utimes(path, now / 1000, now / 1000, (error) => {
      isPending = false
      if (isStopped || isLost) return
      if (!error) renewed(now)
      else if (isMissing(error)) explainMissing()
    })
  }

  /** Returns true if there is nothing left to own. */
  function explainMissing(): boolean {
    isDeleted ||= folder.isAllDeleted()
    if (isDeleted) {
      renewed(Number.POSITIVE_INFINITY)
      return true
    }
    lose("another process has taken it over while this one was frozen, or its files were deleted")
    return false
  }

  function lose(reason: string): void {
    isLost = true
    validUntil[0] = 0
    clearInterval(timer)
    throwLater(new LockLostError(`${folder.path} does not belong to this process any more: ${reason}`))
  }

  return {
    validUntil,
    isHeld: () => !isStopped && !isLost && (Date.now() < validUntil[0]! || renewSync()),
    keep() {
      timer = setInterval(renew, timing.renewMs).unref()
    },
    stop() {
      isStopped = true
      clearInterval(timer)
    },
  }
}

/** Ends the process, by an error that no caller can catch. */
function throwLater(error: Error): void {
  setImmediate(() => {
    throw error
  })
}

async function createFile(folder: LockFolder, boot: string) {
  const token = randomBytes(8).toString("hex")
  const closeSocket = await openSocket(folder, token)
  const name = `${boot}-${token}.${closeSocket ? "sock" : "lease"}`
  const path = folder.pathOf(name)
  if (!closeSocket) writeFileSync(path, "", { flag: "wx", mode: 0o600 })
  // It is renamed when it accepts connections, so that a socket that refuses them always belongs to a dead process.
  else if (!renameIfExists(folder.pathOf(`${token}.new`), path)) {
    await closeSocket()
    return undefined
  }
  return { name, closeSocket }
}

/** Listens at `TOKEN.new`. Returns the function that ends it, or undefined where there are no sockets. */
function openSocket(folder: LockFolder, token: string): Promise<(() => Promise<void>) | undefined> {
  if (!folder.canHoldSockets) return Promise.resolve(undefined)
  const server = createServer((socket) => socket.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (NO_SOCKETS.has(error.code ?? "")) resolve(undefined)
      else reject(error)
    })
    server.listen({ path: folder.pathOf(`${token}.new`), exclusive: true }, () => {
      resolve(() => new Promise((done) => server.close(() => done())))
    })
  })
}

/**
 * Waits until a lease that the kernel cannot answer for has not been renewed for `expiryMs`, and then removes it. Returns
 * false when it is renewed, or when `signal` ends the wait. The clocks of the two machines are never compared.
 */
export async function expireLease(
  folder: LockFolder,
  { name }: LeaseFile,
  expiryMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const path = folder.pathOf(name)
  const readTime = (at: string) => statSync(at, { bigint: true, throwIfNoEntry: false })?.mtimeNs
  const before = readTime(path)
  const deadline = performance.now() + expiryMs
  while (performance.now() < deadline) {
    await delay(expiryMs / 20, undefined, { signal }).catch(() => {})
    if (signal?.aborted) return false
    const now = readTime(path)
    if (now === undefined) return true
    if (now !== before) return false
  }
  const expired = path.endsWith(".expired") ? path : `${path}.expired`
  if (!renameIfExists(path, expired)) return true
  // An owner that woke up in between has renewed the lease, and writes until it finds the name missing. What is left
  // expires in its turn.
  if (readTime(expired) !== before) return false
  rmSync(expired, { force: true })
  return true
}

function renameIfExists(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT"
