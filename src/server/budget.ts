import { availableParallelism } from "node:os"
import type { Settings } from "../config/settings.ts"

/** Returns the number of processes that `server.workers` asks for. */
export function countWorkers({ server }: Settings): number {
  return server.workers === "auto" ? availableParallelism() : server.workers
}

/**
 * Returns the settings with this process's share of `ledger.max_journal_size`, which limits the whole data directory:
 * each process gets the same part, and the bodies that wait for S3 get half of it, if there are any.
 */
export function toOwnBudget(settings: Settings): Settings {
  const { ledger, logging, s3 } = settings
  const kinds = s3.enabled || logging.bodyStorage === "s3" ? 2 : 1
  const maxJournalBytes = Math.floor(ledger.maxJournalBytes / countWorkers(settings) / kinds)
  return { ...settings, ledger: { ...ledger, maxJournalBytes } }
}
