import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { BatchSource } from "../../../src/kit/log/batch.ts"
import type { Journal } from "../../../src/kit/log/journal.ts"
import type { JournalOptions } from "../../../src/kit/log/journal-options.ts"
import { openJournal } from "../../../src/kit/log/open-journal.ts"

export async function makeDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mdm-journal-"))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Opens a journal that is closed when the test ends. Any failure in the background fails the test. */
export async function openTestJournal(dir: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = await openJournal({
    dir,
    maxBytes: 64 << 20,
    syncIntervalMs: 10,
    onDamaged: () => {},
    onError: (error, doing) => {
      throw new Error(`${doing} failed`, { cause: error })
    },
    ...options,
  })
  onTestFinished(() => journal.close())
  return journal
}

export function aLine(id: string, text = "x"): string {
  return JSON.stringify({ id, text })
}

/** Acknowledges everything. Returns the ids in their order, and the text of the damaged lines. */
export async function takeAll(
  source: BatchSource,
  batchBytes = 1 << 16,
): Promise<{ ids: string[]; damaged: string[] }> {
  const ids: string[] = []
  const damaged: string[] = []
  for (let batch = await source.read(batchBytes); batch !== undefined; batch = await source.read(batchBytes)) {
    if (batch.array) ids.push(...(JSON.parse(batch.array.toString()) as { id: string }[]).map(({ id }) => id))
    damaged.push(...batch.damaged.map(({ bytes }) => bytes.toString()))
    source.ack(batch)
  }
  return { ids, damaged }
}

export function range(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}
