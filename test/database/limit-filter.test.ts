import { expect, test } from "vitest"
import { LimitFilter } from "../../src/core/limit-filter.ts"
import type { LeaseItem } from "../../src/core/limit-lease.ts"
import type { LimitedRequest } from "../../src/core/limit-reservation.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { insertLimit, listLimits, type NewLimit } from "../../src/database/limits.ts"
import { checkLimits } from "../../src/operations/limits/check.ts"
import { createTestClock, openLimits, toRequest } from "../limits/_gateway.ts"
import { createLeaseModel } from "../limits/_model.ts"
import { createRandom, type Random } from "../providers/_random.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect } from "./_ledger.ts"

const KEYS = ["a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"]
const MODELS = ["gpt-5", "gpt-5-mini", "gpt_5", "GPT-5", "claude-5", "m*", "é".repeat(300)]
const PATTERNS = ["*", "gpt-5", "gpt-5*", "gpt-5-mini*", "gpt*", "m*", "claude", "%", "é*", "é".repeat(300)]
const LONG = "😀".repeat(254)
const VALUES = ["", "a", "A", "ab", "a*", "%", "_", "a\0b", "a\ud800", "\udc00", LONG, `${LONG}a`, `${LONG}ab`]
const WANTED = ["a", "a*", "*", "A", "ab*", "%", "_*", "😀*", LONG]
const NAMES = ["Team", "User-Id"]

/** Returns an object with each of the members, or without it. */
function some<T>(random: Random, names: readonly string[], make: () => T): Record<string, T> {
  return Object.fromEntries(names.filter(() => random.below(2) === 0).map((name) => [name, make()]))
}

function makeLimit(random: Random, i: number): NewLimit {
  const filters = {
    key: () => random.one(KEYS),
    provider: () => random.one(["openai", "anthropic"]),
    model: () => random.one(PATTERNS),
    where: () => some(random, NAMES, () => random.one(WANTED)),
    per: () => random.one(["key", "model", ...NAMES]),
  }
  const chosen = some(random, Object.keys(filters), () => undefined)
  const given = Object.fromEntries(Object.keys(chosen).map((name) => [name, filters[name as keyof typeof filters]()]))
  return { name: `limit ${i}`, measure: "requests", amount: "1000", window: "total", ...given }
}

function makeRow(random: Random): LogRecord {
  const requested = random.one(MODELS)
  return aRecord({
    id: crypto.randomUUID(),
    majordomo_api_key_id: random.one(KEYS),
    provider: random.one(["openai", "anthropic"]),
    requested_model: requested,
    model: random.below(2) === 0 ? requested : random.one(MODELS),
    raw_metadata: some(random, NAMES, () => random.one(VALUES)),
  })
}

function toLimited(row: LogRecord): LimitedRequest {
  return toRequest({
    keyId: row.majordomo_api_key_id!,
    provider: row.provider,
    requestedModel: row.requested_model!,
    metadata: row.raw_metadata ?? {},
  })
}

const byText = (list: readonly string[]) => [...new Set(list)].sort()

test("the gateway, `limits check` and the database agree about which requests each limit counts, and in which group", async () => {
  const random = createRandom(19)
  const db = await connect((await createTestDatabase()).url)
  for (const id of KEYS) {
    await db.query({ text: "INSERT INTO api_keys (id, key_hash, name) VALUES ($1, $2, $2)", values: [id, id] })
  }
  await insertLimit(db.query, { name: "all", measure: "requests", amount: "1000", window: "total" })
  for (let i = 0; i < 40; i++) await insertLimit(db.query, makeLimit(random, i))
  const limits = await listLimits(db)
  const counted = new Map<string, number>()

  for (let i = 0; i < 60; i++) {
    const row = makeRow(random)
    const request = toLimited(row)
    const applying = limits.flatMap((limit) => {
      const filter = new LimitFilter(limit)
      return filter.matches(request, row.model) ? [{ limit, value: filter.groupOf(request, row.model)! }] : []
    })
    for (const { limit, value } of applying) {
      const cell = JSON.stringify([limit.name, value])
      counted.set(cell, (counted.get(cell) ?? 0) + 1)
    }

    // The gateway leases what it reserves, also of a model that it has learned.
    const clock = createTestClock()
    const model = createLeaseModel(() => clock.now)
    for (const limit of limits) model.limits.set(limit.id, limit)
    let asked: LeaseItem[] = []
    const lease = async (gateway: string, _at: number, items: readonly LeaseItem[]) => {
      asked.push(...items.filter(({ least }) => least !== "0"))
      return model.lease(gateway, "host:1", clock.now, items)
    }
    const table = { lease, renew: async () => {}, free: async () => {} }
    const gateway = openLimits(model, clock, { table })
    const first = await gateway.reserve(request)
    first!.settle({ inputTokens: 0, outputTokens: 0, cost: 0, model: row.model })
    asked = []
    await gateway.reserve(toLimited(row))
    expect(byText(asked.map(({ limit, value }) => JSON.stringify([limit, value])))).toEqual(
      byText(applying.map(({ limit, value }) => JSON.stringify([limit.id, value]))),
    )

    if (row.model === row.requested_model) {
      const asking = { key: request.keyId, provider: row.provider, model: row.model, where: request.metadata }
      const listed = await checkLimits({ database: db, now: Date.now }, asking)
      expect(byText(listed.map(({ name }) => name))).toEqual(byText(applying.map(({ limit }) => limit.name)))
    }
    await insertRows(db.query, `[${toLine(row)}]`, { count: 1 })
  }

  const { rows } = await db.query<{ name: string; value: string; requests: number }>(
    "SELECT name, value, requests::int FROM llm_limit_usage JOIN llm_limits ON id = limit_id",
  )
  expect(new Map(rows.map(({ name, value, requests }) => [JSON.stringify([name, value]), requests]))).toEqual(counted)
  expect(counted.size).toBeGreaterThan(60)
})
