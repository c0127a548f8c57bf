import type { Database } from "../../src/database/_database.ts"
import { CardBook } from "../../src/database/ledger/cards/card-book.ts"
import { storeNewCards } from "../../src/database/ledger/cards/store.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { aRecord } from "../database/_ledger.ts"

export const line = (bucket: string, quantity: number, rate: string, amount: string, more = {}) => ({
  ...{ side: bucket === "output" ? "output" : "input", bucket, model: "gpt-5", quantity, rate, per: "million" },
  ...{ factor: "1", amount, source: "llm-prices.com", date: "2026-10-30", ...more },
})
export const LINES = [
  line("input", 1000, "2", "0.002"),
  line("output", 100, "8", "0.0008"),
  line("reasoning", 50, "8", "0.0004"),
] as never

const row = (more: object) =>
  aRecord({
    ...{ provider: "openai", model: "gpt-5-2026-01-01", provider_api_key_alias: "main", usage_source: "reported" },
    ...{
      requested_at: "2026-11-01T10:00:00Z",
      created_at: "2026-11-01T10:00:01Z",
      outcome: "complete",
      status_code: 200,
    },
    ...{ cost_status: "exact", total_cost: "0.0032", price: { lines: LINES }, billing: undefined, ...more },
  } as never)

/** Rows with few and many values, tiers, factors, tools, reported costs and credentials. */
export function variedRows(): object[] {
  const random = (i: number, n: number) => (Math.imul(i + 1, 2654435761) >>> 0) % n
  return Array.from({ length: 300 }, (_, i) => {
    const [input, output, searches] = [1 + random(i, 5000), 1 + random(i * 7, 900), random(i, 3)]
    const lines = [
      line("input", input, "2", String((input * 2) / 1e6)),
      line("output", output, "8.5", String((output * 85) / 1e7)),
      ...(searches > 0 ? [line("webSearches", searches, "0.01", String(searches / 100), { per: "one" })] : []),
    ]
    const details = Object.fromEntries(Array.from({ length: i % 20 }, (_, n) => [`detail ${n}`, random(i + n, 90) + 1]))
    const price = {
      ...{ lines, tier: i % 3 === 0 ? "batch" : undefined },
      factors: i % 4 === 0 ? [{ name: "tier", value: "0.5" }] : undefined,
      ...(i % 5 === 0 ? { reported: "0.1234", computed: "0.12" } : {}),
    }
    return {
      price,
      ...{ model: `gpt-5-${i % 7}`, total_cost: i % 11 === 0 ? undefined : `0.00${1000 + i}` },
      usage: { prompt_tokens: input, completion_tokens: output, ...details },
      usage_source: i % 6 === 0 ? "estimated" : "reported",
      provider_api_key_alias: i % 2 === 0 ? "main" : undefined,
      provider_api_key_hash: String(i % 5).repeat(64),
    }
  })
}

/** Stores rows with their whole certificates and calls `read`, and then the same ones with cards. Returns both results. */
export async function storeBoth<T>(db: Database, rows: readonly object[], read: () => Promise<T>): Promise<[T, T]> {
  const records = rows.map(row)
  const store = async (lines: string) => {
    await db.query("TRUNCATE llm_requests")
    await insertRows(db.query, lines, { count: rows.length })
    return read()
  }
  const whole = await store(JSON.stringify(records))
  const book = new CardBook()
  const lines = records.map((record) => toLine(record, book.find(record)))
  await storeNewCards(db, book, 60_000)
  return [whole, await store(`[${lines.join()}]`)]
}
