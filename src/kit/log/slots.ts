import { mkdirSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { acquireLock, type Lock } from "../lock.ts"

const LOOK_INTERVAL_MS = 30_000
/** The longest time that one slot is drained. The rest waits for a later attempt. */
const DRAIN_TIMEOUT_MS = 3_600_000

/** Returns whether a name in `ROOT` is that of a slot. */
export function isSlotName(name: string): boolean {
  return /^\d+$/.test(name)
}

/** A directory that one process owns. */
interface Slot {
  readonly dir: string
  readonly lock: Lock
}

/**
 * Claims the first of `ROOT/1`, `ROOT/2`, … that no other process owns. The kernel ends a claim with its process. A slot
 * of another machine, or of the time before this one restarted, is left for `recoverSlots`, which can wait.
 */
export async function claimSlot(root: string): Promise<Slot> {
  for (let number = 1; ; number++) {
    const dir = join(root, String(number))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const lock = await acquireLock(dir)
    if (lock) return { dir, lock }
  }
}

/** The contents of an abandoned slot while they are recovered. */
interface RecoveredSlot {
  drain(deadlineMs: number): Promise<unknown>
  /** Also ends a running drain. May be called twice. */
  close(): Promise<void>
}

interface SlotRecovery {
  /** Stops the recovery that is running; nothing follows it. */
  close(): Promise<void>
}

interface SlotRecoveryOptions {
  readonly root: string
  /** Returns whether a slot holds something to recover, given the names of its files. */
  isOrphaned(names: readonly string[]): boolean
  /** Opens an abandoned slot, which is claimed. The claim ends when the recovery is closed, unless it ended before. */
  open(slot: Slot): Promise<RecoveredSlot>
  onError(error: Error): void
}

/** Recovers the slots of processes that have ended, one after the other: now and every 30 seconds. */
export function recoverSlots(options: SlotRecoveryOptions): SlotRecovery {
  const { root } = options
  const closing = new AbortController()
  const { signal } = closing
  let looking: Promise<void> | undefined
  let running: RecoveredSlot | undefined

  function look(): void {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
  }

  async function lookOnce(): Promise<void> {
    for (const name of await readdir(root).catch(() => [])) {
      if (!isSlotName(name) || signal.aborted) continue
      await recover(join(root, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") options.onError(error)
      })
    }
  }

  async function recover(dir: string): Promise<void> {
    if (!options.isOrphaned(await readdir(dir))) return
    const lock = await acquireLock(dir, { onWait: () => {}, signal })
    if (!lock) return
    try {
      running = await options.open({ dir, lock })
      if (!signal.aborted) await running.drain(DRAIN_TIMEOUT_MS)
      await running.close()
    } finally {
      running = undefined
      await lock.release()
    }
  }

  const timer = setInterval(look, LOOK_INTERVAL_MS).unref()
  look()
  return {
    async close() {
      closing.abort()
      clearInterval(timer)
      await running?.close()
      await looking
    },
  }
}
