import { expect, test } from "vitest"
import { toOwnBudget } from "../../src/server/budget.ts"
import { loadSettings } from "../../src/server/settings.ts"

test.each([
  [1, false, 2 ** 30],
  [4, false, 2 ** 28],
  [4, true, 2 ** 27],
])(
  "[O10] ledger.max_journal_size is one limit for %i processes, with bodies for S3: %s",
  async (workers, s3, share) => {
    const env = {
      MAJORDOMO_LEDGER_MAX_JOURNAL_SIZE: "1GiB",
      MAJORDOMO_SERVER_WORKERS: String(workers),
      ...(s3 && { MAJORDOMO_S3_ENABLED: "true", MAJORDOMO_S3_BUCKET: "b" }),
    }
    const { settings } = await loadSettings({ env, cwd: "/proc/self", systemFile: "/proc/self/none.yaml" })
    expect(toOwnBudget(settings).ledger.maxJournalBytes).toBe(share)
  },
)
