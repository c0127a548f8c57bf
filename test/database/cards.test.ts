import { beforeAll, describe, expect, it, test } from "vitest"
import type { CostLine, PriceCertificate } from "../../src/core/cost.ts"
import { amount, formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { CardBook } from "../../src/database/ledger/cards/card-book.ts"
import { storeNewCards } from "../../src/database/ledger/cards/store.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { applyRepricings } from "../../src/database/repricings.ts"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { meterBilled } from "../conformance/judge.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { describeDatabases } from "../support/databases.ts"
import { createRandom } from "../support/random-usage.ts"
import { aRecord } from "./_ledger.ts"

const TIMEOUT_MS = 60_000

interface Stored {
  readonly id: string
  readonly card: string | null
  readonly isWhole: boolean
}

/** Inserts each row whole and as a card, and returns the latter. Fails if one does not read as the other. */
async function storeBothWays(db: Database, records: readonly LogRecord[]): Promise<readonly Stored[]> {
  const book = new CardBook()
  const carded = records.map((record) => ({ ...record, id: crypto.randomUUID() }))
  const lines = carded.map((record) => toLine(record, book.find(record)))
  await storeNewCards(db, book, TIMEOUT_MS)
  await insertRows(db.query, `[${records.map((record) => toLine(record)).join()}]`, { count: records.length })
  await insertRows(db.query, `[${lines.join()}]`, { count: records.length })
  const { rows } = await db.query<{ id: string; card: string | null; is_same: boolean; whole: unknown; full: unknown }>(
    {
      text: `SELECT f.id, r.card, jsonb_build_array(w.price, w.usage) AS whole, jsonb_build_array(f.price, f.usage) AS full,
        (f.price, f.usage, f.provider_api_key_hash) IS NOT DISTINCT FROM (w.price, w.usage, w.provider_api_key_hash) AS is_same
      FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS g (whole, carded, n)
      JOIN llm_requests_full w ON w.id = whole JOIN llm_requests_full f ON f.id = carded JOIN llm_requests r ON r.id = carded ORDER BY n`,
      values: [records.map(({ id }) => id), carded.map(({ id }) => id)],
    },
  )
  expect(rows.length).toBe(records.length)
  for (const { is_same, whole, full } of rows) if (!is_same) expect(full).toEqual(whole)
  expect(rows.every(({ is_same }) => is_same)).toBe(true)
  return rows.map(({ id, card }) => ({ id, card, isWhole: card === null }))
}

const NUMBERS = [0, -0, 1, 7, 1e21, 5e-324, 1.7976931348623157e308, 0.1, 123456789.123, 2 ** 53 - 1, -3, 1e-7]
const TEXTS = [
  "",
  "12",
  "1,5",
  "%",
  "%1$s",
  "'",
  "%%",
  '"',
  "\\",
  "\u0000",
  "\ud800",
  "é漢😀",
  "__proto__",
  "a\nb",
  "toString",
]

/** Returns certificates and usage as odd as JSON can be. Every second one is like the one before, with other numbers. */
function randomContents(random: () => number): Pick<LogRecord, "price" | "usage">[] {
  const many = (most: number) => Math.floor(random() * most)
  const pick = <T>(list: readonly T[]): T => list[many(list.length)]!
  const json = (depth: number): unknown => {
    const kind = many(depth > 3 ? 4 : 7)
    if (kind === 5) return Array.from({ length: many(4) }, () => json(depth + 1))
    if (kind >= 4)
      return JSON.parse(
        `{${[...new Set(Array.from({ length: many(4) }, () => pick(TEXTS)))].map((name) => `${JSON.stringify(name)}:${JSON.stringify(json(depth + 1))}`)}}`,
      )
    return [pick(TEXTS), pick(NUMBERS), null, true][kind]
  }
  const line = (): CostLine => {
    const rate = pick(["0.15", "2.5", "0.0000001", "30", "1.234567"])
    const factor = pick(["1", "0.5", "0.333333333333333333"])
    const quantity = pick([1, 600, 1200, 123_456_789, 0.5, 61.7, 1e21])
    const per = pick(["million", "one"] as const)
    const value = amount({
      quantity,
      rate: parseDecimal(rate),
      factor: parseDecimal(factor),
      per: per === "million" ? 1_000_000n : 1n,
    })
    const right = formatDecimal(value)
    const kind = random() < 0.2 ? pick(TEXTS) : undefined
    return {
      side: pick(["input", "output"]),
      bucket: pick(["input", "cacheRead", "output"]),
      ...(kind !== undefined && { kind }),
      model: pick(TEXTS),
      quantity,
      rate,
      per,
      factor,
      amount: random() < 0.1 ? pick(["0", "0.10", "1e5", "007", "-1", "0.1234567890123", `${right}0`]) : right,
      source: pick(TEXTS),
      ...(random() < 0.5 && { date: pick(TEXTS) }),
    }
  }
  const again = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, each) => (typeof each === "number" && each !== 0 ? pick(NUMBERS) : each))
  return Array.from({ length: 150 }, () => {
    const price: PriceCertificate = {
      lines: Array.from({ length: 1 + many(3) }, line),
      ...(random() < 0.3 && { tier: pick(TEXTS) }),
      ...(random() < 0.3 && { reason: pick(TEXTS) }),
      ...(random() < 0.3 && {
        factors: [{ name: pick(TEXTS), value: "0.5", ...(random() < 0.5 && { except: ["output" as const] }) }],
      }),
      ...(random() < 0.3 && { reported: pick(["0.001", "1", "1e-7"]), computed: pick(["0.002", "-1"]) }),
      ...(random() < 0.05 && { future: pick(TEXTS) }),
    }
    const usage = random() < 0.1 ? undefined : json(0)
    return [
      { price, usage },
      {
        price: { ...price, lines: price.lines.map((one) => ({ ...one, quantity: pick([3, 600, 0.25]) })) },
        usage: again(usage ?? null),
      },
    ]
  }).flat()
}

describeDatabases("a row with a card", (open) => {
  it("has the certificate and the usage that it would have whole, whatever is in them", async () => {
    const db = await open()
    const records = randomContents(createRandom(20_261_129)).map((content) =>
      aRecord({ ...content, id: crypto.randomUUID() }),
    )
    const stored = await storeBothWays(db, records)
    const share = stored.filter(({ isWhole }) => !isWhole).length / stored.length
    expect(share).toBeGreaterThan(0.3)
    expect(share).toBeLessThan(1)
  })

  it("is stored whole if the database lacks its card, or has another one with the same id", async () => {
    const db = await open()
    const book = new CardBook()
    const [lacking, colliding, known] = [aRecord(), aRecord({ usage: { other: 1 } }), aRecord({ usage: { known: 1 } })]
    const lines = [lacking, colliding, known].map((record) => toLine(record, book.find(record)))
    const ids = book.listNew()!.cards.map(({ id }) => id)
    await db.query({
      text: "INSERT INTO llm_cards (id, price, usage, quantities, units) VALUES ($1, '{}', '{}', '{}', '{}')",
      values: [ids[1]],
    })
    await db.query({
      text: "INSERT INTO llm_credential_hashes SELECT ('x' || left($1, 16))::bit(64)::bigint, 'another hash'",
      values: [lacking.provider_api_key_hash],
    })
    await storeNewCards(db, book, TIMEOUT_MS)
    await db.query({ text: "DELETE FROM llm_cards WHERE id = $1", values: [ids[0]] })
    await insertRows(db.query, `[${lines.join()}]`, { count: 3 })
    const { rows } = await db.query({
      text: "SELECT r.card, r.usage AS own, f.usage, f.price, r.provider_api_key_hash AS hash FROM llm_requests r JOIN llm_requests_full f USING (id) WHERE id = ANY ($1::uuid[]) ORDER BY array_position($1::uuid[], id)",
      values: [[lacking.id, colliding.id, known.id]],
    })
    const { price, provider_api_key_hash: hash } = lacking
    expect(rows).toEqual([
      { card: null, own: lacking.usage, usage: lacking.usage, price, hash },
      { card: null, own: colliding.usage, usage: colliding.usage, price, hash },
      { card: ids[2], own: null, usage: known.usage, price, hash },
    ])
  })

  it("is priced again with its usage, and its old certificate is kept", async () => {
    const db = await open()
    const record = aRecord()
    const [{ id }] = (await storeBothWays(db, [record])) as [Stored]
    const changed = await applyRepricings(db, [
      {
        id,
        old_cost_status: "exact",
        old_total_cost: "0.00042",
        input_cost: "1",
        output_cost: "2",
        total_cost: "3",
        cost_status: "estimated",
        price: { lines: [], reason: "again" },
        reason: "test",
      },
    ])
    expect([...changed]).toEqual([id])
    const { rows } = await db.query({
      text: "SELECT price, usage, trim_scale(total_cost)::text AS cost, old_price FROM llm_requests_full JOIN llm_request_repricings ON request_id = id WHERE id = $1",
      values: [id],
    })
    expect(rows).toEqual([
      { price: { lines: [], reason: "again" }, usage: record.usage, cost: "3", old_price: record.price },
    ])
  })

  it("cannot be priced again by a program that does not know cards, and would not see its usage", async () => {
    const db = await open()
    const [{ id }] = (await storeBothWays(db, [aRecord()])) as [Stored]
    const text = "UPDATE llm_requests SET total_cost = 1, price = '{\"lines\": []}' WHERE id = $1"
    await expect(db.query({ text, values: [id] })).rejects.toThrow("llm_requests_card_or_whole")
  })
})

const recordings = readRecordings("../shared/corpus") && [
  ...readRecordings("../shared/corpus")!,
  ...(readRecordings("../shared/corpus-clouds") ?? []),
]

describeDatabases("the recorded answers (skipped where the recordings are missing)", (open) => {
  beforeAll(() => DIALECTS.bedrock.load?.())

  it.skipIf(!recordings)(
    "have the same certificates and usage as cards, and nearly all that have a price have a card",
    async () => {
      const prices = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
      const records = recordings!.flatMap((recording) =>
        meterBilled(recording, Number.MAX_SAFE_INTEGER).map((reading) => {
          const { provider } = recording
          const cost = prices.price({ provider, requestedModel: reading.model, reading, at: Date.now() })
          const { price, status } = cost
          return aRecord({
            id: crypto.randomUUID(),
            model: reading.model ?? "",
            price,
            cost_status: status,
            usage: reading.raw,
          })
        }),
      )
      prices.close()
      const db = await open()
      const stored: Stored[] = []
      for (let at = 0; at < records.length; at += 100)
        stored.push(...(await storeBothWays(db, records.slice(at, at + 100))))
      const priced = stored.filter((_, i) => (records[i]!.price?.lines.length ?? 0) > 0)
      expect(priced.length).toBeGreaterThan(400)
      expect(priced.filter(({ isWhole }) => isWhole).length / priced.length).toBeLessThan(0.05)
    },
  )
})

describe("the cards of a process", () => {
  const priced = (model: string, changes: Partial<LogRecord> = {}) =>
    aRecord({ model, usage: { [model]: 1 }, ...changes })

  test("are the same for rows that differ in numbers only", () => {
    const book = new CardBook()
    for (let tokens = 1; tokens < 100; tokens++)
      book.find(aRecord({ usage: { prompt_tokens: tokens, completion_tokens: 1000 - tokens } }))
    expect(book.listNew()!.cards.length).toBe(1)
  })

  test("are bounded in a day, and rows beyond that are stored whole", () => {
    const book = new CardBook()
    for (let i = 0; i < 5000; i++) book.find(priced(`model ${i}`))
    expect(book.listNew()!.cards.length).toBe(4096)
    expect(book.find(priced("model 5000"))).toBeUndefined()
    book.markStored(book.listNew()!)
    expect(book.find(priced("model 5000", { created_at: "2026-11-21T00:00:00.000Z" }))).toBeDefined()
  })

  test("are not made of rows without a price, or that contradict themselves", () => {
    const book = new CardBook()
    expect(book.find(aRecord({ price: { lines: [], reason: "no price" } }))).toBeUndefined()
    expect(book.find(aRecord({ price: undefined }))).toBeUndefined()
    expect(book.find(aRecord({ cost_status: "inconsistent" }))).toBeUndefined()
    expect(book.listNew()!.cards).toEqual([])
  })

  test("are to be stored again when the database failed", () => {
    const book = new CardBook()
    book.find(aRecord())
    const added = book.listNew()!
    book.markStored(added)
    expect(book.listNew()).toBeUndefined()
    book.forgetStored()
    expect(book.listNew()).toEqual(added)
  })
})

test("an amount is left to the database only if it is the product to the digit", () => {
  const line = (amount: string) => ({ ...aRecord().price!.lines[0]!, quantity: 600, rate: "0.15", amount })
  const quantitiesOf = (amount: string) => {
    const book = new CardBook()
    book.find(aRecord({ price: { lines: [line(amount)] } }))
    return book.listNew()!.cards.map(({ quantities }) => quantities)
  }
  expect(quantitiesOf("0.00009")).toEqual(["{4}"])
  for (const amount of ["0.000090", "0.00009000000001", "0.0000900000001", "00.00009", "0.00008", "-0.00009", "90"]) {
    expect(quantitiesOf(amount), amount).toEqual(["{}"])
  }
  for (const amount of ["9e-5", ".00009", "0.00009 ", "", "NaN"]) expect(quantitiesOf(amount), amount).toEqual([])
})
