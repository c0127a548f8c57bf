import { createHash } from "node:crypto"
import type { LogRecord } from "../core/log-record.ts"
import type { Database } from "../database/_database.ts"
import { backfillName } from "../database/backfill.ts"
import { refillDemo } from "../database/demo.ts"
import type { NewKey } from "../database/key-rows.ts"
import { createKey } from "../database/keys.ts"
import { activateName } from "../database/metadata.ts"
import { inventBodies } from "../demo/bodies.ts"
import { type Sample, sampleDays } from "../demo/sample.ts"
import { toLogRecord } from "../gateway/log-record.ts"
import { createPriceBook, type PriceBook } from "../pricing/price-book.ts"

export { type DemoProvider, startDemoProvider } from "../demo/provider.ts"

/** The names by which reports of the demo are fast. */
const ACTIVE_NAMES = ["Client", "Feature", "User-Id", "Trace-Id"]

/**
 * Deletes everything in the demo's own database and fills it with 30 days of sample requests, priced as the gateway
 * prices requests. Returns a key to try the demo with. Never call it with any other database.
 */
export async function fillDemo(database: Database): Promise<NewKey> {
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 0, now: Date.now, log: () => {} })
  try {
    const samples = sampleDays(Date.now())
    const teams = [...new Map(samples.map(({ team }) => [team.name, team])).values()]
    await refillDemo(database, async (insert) => {
      const keys = new Map<string, string>()
      for (const name of ACTIVE_NAMES) {
        await activateName(database, { name, key: undefined })
        // There are no rows yet: from now on, all rows are indexed and counted.
        await backfillName(database, name, () => {})
      }
      for (const team of teams) keys.set(team.name, (await createKey(database, team)).key.id)
      await insert(samples.map((sample) => toRow(sample, keys.get(sample.team.name)!, book)))
    })
    return await createKey(database, { name: "Demo", description: "yours to try" })
  } finally {
    book.close()
  }
}

function toRow(sample: Sample, keyId: string, book: PriceBook): LogRecord {
  const { team, call, provider, requestedModel, ending } = sample
  const query = { provider, requestedModel, reading: ending.reading, at: call.receivedAt }
  return toLogRecord({
    call,
    caller: { keyId },
    route: { provider: { name: provider }, format: provider },
    prepared: { requestedModel },
    credentialHash: createHash("sha256").update(`demo ${team.name} ${provider}`).digest("hex"),
    ending,
    bodies: inventBodies(sample),
    cost: book.price({ ...query, failed: ending.statusCode >= 400 }),
  })
}
