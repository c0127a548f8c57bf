import { mkdirSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { acquireLock, type Lock } from "../embedded/lock.ts"
import { type LedgerHandle, type LedgerOptions, type LedgerStats, openLedger } from "../logs.ts"

const LOOK_AGAIN_MS = 30_000
const PATIENCE_MS = 3_600_000

export interface Place {
  readonly dir: string
  readonly lock: Lock
  /** From 1. */
  readonly number: number
}

/** `ROOT/1`, `ROOT/2`, …: each process writes in the first that no other has. The kernel ends its claim with it. */
export async function takeDirectory(root: string): Promise<Place> {
  for (let number = 1; ; number++) {
    const dir = join(root, String(number))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const lock = await acquireLock(dir)
    if (lock) return { dir, lock, number }
  }
}

export interface Adoption {
  /** Of all that was taken over, finished ones too. */
  stats(): LedgerStats
  close(): Promise<void>
}

export type AdoptionOptions = Omit<LedgerOptions, "dir" | "lock"> & { readonly root: string }

/** Brings to the database what processes left behind whose place nobody has taken: now, and from time to time. */
export function startAdoption({ root, ...options }: AdoptionOptions): Adoption {
  const adopted: LedgerHandle[] = []
  let isClosed = false
  let looking: Promise<void> | undefined

  function look(): void {
    looking ??= lookOnce()
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT")
          options.log("error", `trouble while looking for journals left behind: ${error.message}`)
      })
      .finally(() => {
        looking = undefined
      })
  }

  async function lookOnce(): Promise<void> {
    for (const name of await readdir(root)) {
      const dir = join(root, name)
      if (isClosed || !/^\d+$/.test(name) || !(await hasSegments(dir))) continue
      const lock = await acquireLock(dir)
      if (!lock) continue
      const ledger = await openLedger({ ...options, dir, lock: async () => lock })
      adopted.push(ledger)
      await ledger.drain(PATIENCE_MS)
      await ledger.close()
    }
  }

  const timer = setInterval(look, LOOK_AGAIN_MS).unref()
  look()
  return {
    stats: () => sumStats(adopted.map((ledger) => ledger.stats())),
    async close() {
      isClosed = true
      clearInterval(timer)
      await Promise.all(adopted.map((ledger) => ledger.close()))
      await looking
    },
  }
}

async function hasSegments(dir: string): Promise<boolean> {
  return (await readdir(dir)).some((name) => name.endsWith(".jsonl") && name !== "rejected.jsonl")
}

export function sumStats(all: readonly LedgerStats[]): LedgerStats {
  const sum = (pick: (stats: LedgerStats) => number) => all.reduce((total, stats) => total + pick(stats), 0)
  return {
    accepted: sum((stats) => stats.accepted),
    written: sum((stats) => stats.written),
    waiting: sum((stats) => stats.waiting),
    rejected: sum((stats) => stats.rejected),
    dropped: sum((stats) => stats.dropped),
    journalBytes: sum((stats) => stats.journalBytes),
    batches: sum((stats) => stats.batches),
    lastWrittenAt: all.reduce<number | undefined>((last, { lastWrittenAt }) => later(last, lastWrittenAt), undefined),
    lastError: all.find(({ lastError }) => lastError !== undefined)?.lastError,
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
