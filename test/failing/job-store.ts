import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { LogRecord } from "../../src/core/log-record.ts"
import { openLedger } from "../../src/database/ledger/ledger.ts"
import { openDatabase } from "../../src/database/open.ts"
import { NO_POSTGRES } from "../support/databases.ts"

/** Opens a ledger that writes to an embedded database, both in `directory`. */
export async function openJobStore(directory: string) {
  const storage = { driver: "embedded", dataDir: join(directory, "data"), postgres: NO_POSTGRES } as const
  const database = await openDatabase(storage, { role: "serve", log: () => {} })
  await database.query(readFileSync(new URL("../../schema.sql", import.meta.url), "utf8"))
  const settings = { journal: false, syncIntervalMs: 100, maxJournalBytes: 1 << 26, whenFull: "drop" } as const
  const ledger = await openLedger({ db: database, dir: directory, settings, now: Date.now, log: () => {} })
  return {
    ledger,
    /** Returns the rows when all of them are in the database. */
    async readRows(): Promise<readonly LogRecord[]> {
      await ledger.drain(180_000)
      const { rows } = await database.query<LogRecord>("SELECT * FROM llm_requests_full ORDER BY id")
      return rows
    },
    async close(): Promise<void> {
      await ledger.close()
      await database.close()
    },
  }
}
