import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { type Journal, type JournalOptions, openJournal } from "../../src/kit/journal.ts"
import type { Spool } from "../../src/kit/spool.ts"

export async function makeDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mdm-journal-"))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function openTestJournal(dir: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = await openJournal({
    dir,
    maxBytes: 64 << 20,
    syncIntervalMs: 10,
    onError: (error, doing) => {
      throw new Error(`unexpected trouble while ${doing}`, { cause: error })
    },
    ...options,
  })
  onTestFinished(() => journal.close())
  return journal
}

export function aLine(id: string, text = "x"): string {
  return JSON.stringify({ id, text })
}

/** Takes everything away; returns the ids in their order, and what was broken. */
export async function takeAll(spool: Spool, batchBytes = 1 << 16): Promise<{ ids: string[]; broken: string[] }> {
  const ids: string[] = []
  const broken: string[] = []
  for (let batch = await spool.read(batchBytes); batch !== undefined; batch = await spool.read(batchBytes)) {
    if (batch.array) ids.push(...(JSON.parse(batch.array.toString()) as { id: string }[]).map(({ id }) => id))
    broken.push(...batch.broken)
    spool.ack(batch)
  }
  return { ids, broken }
}

export function range(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}
