import { mkdirSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { acquireLock, type Lock } from "./lock.ts"

const LOOK_AGAIN_MS = 30_000

/** A directory that is one process's alone. */
export interface Place {
  readonly dir: string
  readonly lock: Lock
}

/** `ROOT/1`, `ROOT/2`, …: the first that no other process has. The kernel ends a claim with its process. */
export async function takePlace(root: string): Promise<Place> {
  for (let number = 1; ; number++) {
    const dir = join(root, String(number))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const lock = await acquireLock(dir)
    if (lock) return { dir, lock }
  }
}

export interface Adopting {
  /** Nothing more is adopted; resolves when what is being adopted is let go, which its owner has to bring about. */
  close(): Promise<void>
}

/** Looks after what processes left behind whose place nobody has taken: now, and from time to time. One after the other. */
export function adoptPlaces(options: {
  readonly root: string
  /** Whether there is something left to do, by the names of the files. */
  isLeft(names: readonly string[]): boolean
  /** Does it; the place is let go afterwards, if it was not before. */
  adopt(place: Place): Promise<void>
  onError(error: Error): void
}): Adopting {
  const { root, isLeft, adopt } = options
  let isClosed = false
  let looking: Promise<void> | undefined

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
      if (!isClosed) await adopt({ dir, lock })
    } finally {
      await lock.release()
    }
  }

  const timer = setInterval(look, LOOK_AGAIN_MS).unref()
  look()
  return {
    async close() {
      isClosed = true
      clearInterval(timer)
      await looking
    },
  }
}
