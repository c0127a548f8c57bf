import { createHash } from "node:crypto"
import type { Settings } from "../config/settings.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { Database } from "../database/_database.ts"
import { backfillName } from "../database/backfill.ts"
import { refillDemo } from "../database/demo.ts"
import type { NewKey } from "../database/key-rows.ts"
import { createKey } from "../database/keys.ts"
import { insertLimit, type NewLimit, readLimitStates, updateLimit } from "../database/limits.ts"
import { activateName } from "../database/metadata.ts"
import { inventBodies } from "../demo/bodies.ts"
import { type Sample, sampleDays } from "../demo/sample.ts"
import { toLogRecord } from "../gateway/log-record.ts"
import { storeSampleNotifications } from "../operations/notifications/sample.ts"
import { storeSampleBill } from "../operations/reconcile/sample.ts"
import { createPriceBook, type PriceBook } from "../pricing/price-book.ts"

export { type DemoProvider, startDemoProvider } from "../demo/provider.ts"

/** The names by which reports of the demo are fast. */
const ACTIVE_NAMES = ["Client", "Feature", "User-Id", "Trace-Id"]

/**
 * Deletes everything in the demo's own database and fills it with 30 days of sample requests, priced as the gateway
 * prices requests. Returns a key to try the demo with. Never call it with any other database.
 */
export async function fillDemo(database: Database, settings: Settings): Promise<NewKey> {
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
      await addLimits(database, keys)
      await storeSampleBill({ database, now: Date.now }, "openai")
      await storeSampleNotifications({ database, settings, now: Date.now })
    })
    return await createKey(database, { name: "Demo", description: "yours to try" })
  } finally {
    book.close()
  }
}

/** A limit of the demo, with how much of it is used. */
type DemoLimit = Omit<NewLimit, "amount" | "measure" | "window"> & { readonly usedPart: number }

/** Creates budgets of this month, of which some are nearly used up, and a rate limit, so that there is something to see. */
async function addLimits(database: Database, keys: ReadonlyMap<string, string>): Promise<void> {
  const budgets: readonly DemoLimit[] = [
    { name: "Everything", usedPart: 0.72, notifyAt: [50, 80, 100] },
    { name: "Engineering", usedPart: 0.93, key: keys.get("Engineering"), notifyAt: [80, 100], action: "warn" },
    { name: "Research", usedPart: 0.41, key: keys.get("Research") },
    { name: "Each user", usedPart: 0.97, per: "User-Id", action: "warn" },
  ]
  for (const { usedPart, ...budget } of budgets) {
    await database.transaction(async (query) => {
      const { id } = await insertLimit(query, { ...budget, measure: "cost", window: "month", amount: "1000" })
      const [state] = await readLimitStates({ query }, { at: Date.now(), limit: id, top: 1 })
      await updateLimit(query, id, { amount: String(Math.max(1, Math.round(Number(state?.used ?? 0) / usedPart))) })
    })
  }
  const rate = { name: "Each key", measure: "requests", window: "minute", amount: "600", per: "key" } as const
  await database.transaction((query) => insertLimit(query, rate))
}

function toRow(sample: Sample, keyId: string, book: PriceBook): LogRecord {
  const { team, call, provider, billing, requestedModel, ending } = sample
  const query = { provider, requestedModel, reading: ending.reading, at: call.receivedAt }
  return toLogRecord({
    call,
    caller: { keyId },
    billing,
    route: { provider: { name: provider }, format: provider },
    prepared: { requestedModel },
    credentialHash: createHash("sha256").update(`demo ${team.name} ${provider}`).digest("hex"),
    ending,
    bodies: inventBodies(sample),
    cost: book.price({ ...query, failed: ending.statusCode >= 400 }),
  })
}
