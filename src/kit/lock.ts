import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { readBootId } from "./lock/boot.ts"
import { isListening, type LeaseFile, type LockFolder, openFolder } from "./lock/folder.ts"
import { createLease, expireLease, type Lease, type LeaseTiming, LockLostError } from "./lock/lease.ts"
import { acquireSystemLock, HAS_SYSTEM_LOCK } from "./lock/system-lock.ts"

export { LockLostError }

/**
 * The sole right of this process to a directory. If another machine takes it over while this process is frozen, the
 * process ends with an uncaught `LockLostError`.
 */
export interface Lock {
  /**
   * Shared memory: until when this process may write without a further look, in ms since the epoch. A thread that is late
   * waits until the time lies in the future again.
   */
  readonly validUntil: Float64Array
  /** Returns whether the lock is still held, before something is written. Costs one comparison in most cases. */
  isHeld(): boolean
  /** Releases the lock. Later calls do nothing. */
  release(): Promise<void>
}

interface LockOptions {
  /**
   * Called before a wait of `ms` for the lease of a process that may run on another machine. Without it, such a directory
   * counts as held.
   */
  onWait?(ms: number): void
  /** Ends that wait; the directory then counts as held. */
  readonly signal?: AbortSignal
  readonly timing?: LeaseTiming
}

const TIMING: LeaseTiming = { renewMs: 3_000, validMs: 9_000, expiryMs: 15_000 }
/** Processes that try at the same moment all withdraw and try again. */
const ATTEMPTS = 20
const MAX_PAUSE_MS = 20

/**
 * Locks a directory for this process. Returns undefined if another process holds it. The lock excludes every process of
 * this kernel, in any container, and every process of another machine that shares the directory. A process that ends, in
 * any way, releases it at once for this kernel, and after 15 s for others. `lock/README.md` has the protocol.
 */
export async function acquireLock(directory: string, options: LockOptions = {}): Promise<Lock | undefined> {
  const system = await acquireSystemLock(directory)
  if (!system) return undefined
  try {
    const folder = openFolder(join(directory, "lock"))
    const lease = await acquireLease(folder, options).catch((error: unknown) => {
      folder.close()
      throw error
    })
    if (lease) return toLock(lease, folder, system.release)
    folder.close()
  } catch (error) {
    await system.release()
    throw error
  }
  await system.release()
  return undefined
}

async function acquireLease(folder: LockFolder, options: LockOptions): Promise<Lease | undefined> {
  const { timing = TIMING } = options
  const boot = readBootId()
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const dead = new Set<string>()
    for (const rival of folder.list().leases) {
      if (!(await isDead(folder, rival, { ...options, boot, timing }))) return undefined
      dead.add(rival.name)
    }
    const lease = await createLease(folder, boot, timing)
    // If two processes come here at once, at least one finds the other's lease, because each writes before it reads.
    const { leases, unfinished } = folder.list()
    if (lease && leases.every(({ name }) => name === lease.name || dead.has(name))) {
      for (const name of [...dead, ...unfinished]) folder.remove(name)
      lease.keep()
      return lease
    }
    await lease?.release()
    await delay(Math.random() * MAX_PAUSE_MS)
  }
  return undefined
}

/** Returns whether the process of a lease has certainly ended. Waits for that if only the lease can tell. */
async function isDead(
  folder: LockFolder,
  rival: LeaseFile,
  { boot, timing, onWait, signal }: LockOptions & { readonly boot: string; readonly timing: LeaseTiming },
): Promise<boolean> {
  if (rival.boot === boot) {
    // This process has the lock that the system releases, so the other one has ended.
    if (HAS_SYSTEM_LOCK) return true
    const answer = rival.isSocket ? await isListening(folder.pathOf(rival.name)) : "unknown"
    if (answer !== "unknown") return answer === "no"
  }
  if (!onWait) return false
  onWait(timing.expiryMs)
  return expireLease(folder, rival, timing.expiryMs, signal)
}

/** Makes sure that each part is released once: after a second close, a descriptor could belong to another file. */
function toLock(lease: Lease, folder: LockFolder, releaseSystem: () => Promise<void>): Lock {
  let released: Promise<void> | undefined
  const release = async () => {
    await lease.release()
    folder.close()
    await releaseSystem()
  }
  return {
    validUntil: lease.validUntil,
    isHeld: lease.isHeld,
    release() {
      released ??= release()
      return released
    },
  }
}
