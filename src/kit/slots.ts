import { mkdirSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { acquireLock, type Lock } from "./lock.ts"

const LOOK_AGAIN_MS = 30_000
/** Then what is left waits for another look. */
const PATIENCE_MS = 3_600_000

/** A directory that is one process's alone. */
export interface Slot {
  readonly dir: string
  readonly lock: Lock
}

/** `ROOT/1`, `ROOT/2`, …: the first that no other process has. The kernel ends a claim with its process. */
export async function claimSlot(root: string): Promise<Slot> {
  for (let number = 1; ; number++) {
    const dir = join(root, String(number))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const lock = await acquireLock(dir)
    if (lock) return { dir, lock }
  }
}

/** Brings what is left in a place to where it belongs. */
export interface RecoveredSlot {
  drain(deadlineMs: number): Promise<unknown>
  /** Ends a drain that runs. May be called twice. */
  close(): Promise<void>
}

export interface SlotRecovery {
  /** Lets go of what is being adopted; nothing more follows. */
  close(): Promise<void>
}

/** Looks after what processes left behind whose place nobody has taken: now, and from time to time. One after the other. */
export function recoverSlots(options: {
  readonly root: string
  /** Whether there is something left to do, by the names of the files. */
  isLeft(names: readonly string[]): boolean
  /** The place is let go when this is closed, if it was not before. */
  open(place: Slot): Promise<RecoveredSlot>
  onError(error: Error): void
}): SlotRecovery {
  const { root, isLeft, open } = options
  let isClosed = false
  let looking: Promise<void> | undefined
  let running: RecoveredSlot | undefined

  function look(): void {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
  }

  async function lookOnce(): Promise<void> {
    const names = await readdir(root).catch(() => [])
    for (const name of names) {
      if (!/^\d+$/.test(name) || isClosed) continue
      await lookInto(join(root, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") options.onError(error)
      })
    }
  }

  async function lookInto(dir: string): Promise<void> {
    if (!isLeft(await readdir(dir))) return
    const lock = await acquireLock(dir)
    if (!lock) return
    try {
      running = await open({ dir, lock })
      if (!isClosed) await running.drain(PATIENCE_MS)
      await running.close()
    } finally {
      running = undefined
      await lock.release()
    }
  }

  const timer = setInterval(look, LOOK_AGAIN_MS).unref()
  look()
  return {
    async close() {
      isClosed = true
      clearInterval(timer)
      await running?.close()
      await looking
    },
  }
}
