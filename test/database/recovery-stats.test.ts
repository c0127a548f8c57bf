import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { startRecovery } from "../../src/database/ledger/recovery.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

test("a recovered journal that is closed counts with its rows, and no longer with its bytes", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const left = await openTestLedger(db, join(root, "1"), { timing: { lingerMs: 600_000 } })
  for (let i = 0; i < 3; i++) left.append(aRecord())
  await left.close()
  const recovery = startRecovery({
    db,
    root,
    settings: { journal: true, syncIntervalMs: 100, maxJournalBytes: 1 << 30, whenFull: "drop" },
    now: Date.now,
    log: () => {},
  })
  onTestFinished(() => recovery.close())
  await expect
    .poll(() => recovery.stats(), { timeout: 20_000 })
    .toMatchObject({ accepted: 3, written: 3, waiting: 0, journalBytes: 0 })
})
