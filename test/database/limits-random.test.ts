import { describe, expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { prune } from "../../src/database/prune.ts"
import { applyRepricings } from "../../src/database/repricings.ts"
import { createRandom, type Random } from "../providers/_random.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect } from "./_ledger.ts"
import { verifyDatabase } from "./_verify.ts"

const KEYS = ["a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"] as const
/** A window, and how plain SQL says it. Hours of a zone that changes by half an hour are not those of UTC. */
const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kolkata"]
const WINDOWS = ["minute", "hour", "day", "week", "month", "total"]
/** Filters with the same condition in plain SQL. */
const FILTERS: readonly (readonly [column: string, value: string, condition: string])[] = [
  ["api_key_id", KEYS[0], `majordomo_api_key_id = '${KEYS[0]}'`],
  ["provider", "openai", "provider = 'openai'"],
  ["model", "gpt-4o", "(model = 'gpt-4o' OR requested_model = 'gpt-4o')"],
  ["model", "gpt-4o*", "(model LIKE 'gpt-4o%' OR requested_model LIKE 'gpt-4o%')"],
  ["metadata", '{"Team": "a"}', "raw_metadata ->> 'Team' = 'a'"],
  [
    "metadata",
    '{"Team": "a", "User-Id": "u*"}',
    "raw_metadata ->> 'Team' = 'a' AND raw_metadata ->> 'User-Id' LIKE 'u%'",
  ],
  ["metadata", "{}", "true"],
]
const PER: readonly (readonly [per: string | null, value: string])[] = [
  [null, "''"],
  ["key", "coalesce(majordomo_api_key_id::text, '')"],
  ["model", "model"],
  ["User-Id", "coalesce(raw_metadata ->> 'User-Id', '')"],
]
/** The changes of the clocks in these zones, and the edges of days and months. */
const TIMES = ["2026-10-03T15:30Z", "2026-10-25T01:00Z", "2026-11-01T05:00Z", "2026-11-01T00:00Z", "2026-11-20T18:30Z"]
const between = (random: Random, least: number, most: number) => least + random.below(most - least + 1)
const SINCE = "2026-09-25T00:00:00Z"

interface Counted {
  readonly id: string
  readonly query: string
}

/** A limit, and the plain query of what it has used. */
async function addLimit(db: Database, random: Random): Promise<Counted> {
  const [window, tz] = [random.one(WINDOWS), random.one(ZONES)]
  const filters = FILTERS.filter(() => between(random, 0, 3) === 0)
  const [per, value] = random.one(PER)
  const given = Object.fromEntries(filters.map(([column, text]) => [column, text]))
  const columns = Object.keys(given)
  const { rows } = await db.query<{ id: string }>({
    text: `INSERT INTO llm_limits (name, measure, amount, counted_since, window_unit, tz, per${columns.map((name) => `, ${name}`).join("")})
      VALUES (gen_random_uuid(), 'tokens', 10, $1, $2, $3, $4${columns.map((_, at) => `, $${at + 5}`).join("")}) RETURNING id`,
    values: [window === "total" ? "-infinity" : SINCE, window, tz, per, ...Object.values(given)],
  })
  const start = window === "total" ? "'epoch'::timestamptz" : `date_trunc('${window}', created_at, '${tz}')`
  const conditions = columns.map((column) => filters.findLast(([name]) => name === column)![2])
  const query = `SELECT ${value} AS value, ${start} AS window_start, count(*) AS requests, sum(input_tokens) AS input_tokens,
      sum(output_tokens) AS output_tokens, trim_scale(coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0)) AS cost
    FROM all_requests WHERE outcome <> 'gap' AND outcome <> 'rejected'
      ${conditions.map((condition) => `AND ${condition}`).join(" ")} GROUP BY 1, 2`
  return { id: rows[0]!.id, query }
}

function makeRow(random: Random): LogRecord {
  const offset = between(random, -3 * 3_600_000, 3 * 3_600_000)
  const at = new Date(Date.parse(random.one(TIMES)) + offset).toISOString()
  const cost = random.one([undefined, "0", "0.5", "0.000000000001"])
  return aRecord({
    id: crypto.randomUUID(),
    majordomo_api_key_id: random.one([...KEYS, undefined]),
    provider: random.one(["openai", "anthropic"]),
    model: random.one(["gpt-4o", "gpt-4o-mini", "claude"]),
    requested_model: random.one([undefined, "gpt-4o", "sonnet"]),
    outcome: random.one(["complete", "complete", "client_left", "gateway_died", "gap", "rejected"]),
    billing: random.one([undefined, undefined, "subscription"]),
    raw_metadata: random.one<LogRecord["raw_metadata"]>([
      undefined,
      { Team: "a" },
      { Team: "a", "User-Id": "u-1" },
      { "User-Id": "w-2" },
    ]),
    input_tokens: between(random, 0, 1000),
    output_tokens: between(random, 0, 1000),
    total_cost: cost,
    cost_status: cost === undefined ? "unpriced" : "exact",
    usage: undefined,
    created_at: at,
  })
}

const write = (db: Database, rows: readonly LogRecord[]) =>
  insertRows(db.query, JSON.stringify(rows), { count: rows.length })

/** Keeps a copy of all requests, which `prune` does not know. */
const remember = (db: Database) =>
  db.query(`DELETE FROM all_requests a USING llm_requests r WHERE a.id = r.id;
    INSERT INTO all_requests SELECT * FROM llm_requests`)

async function expectUsage(db: Database, limits: readonly Counted[]): Promise<void> {
  await remember(db)
  for (const { id, query } of limits) {
    const { rows } = await db.query<{ wrong: unknown }>(`WITH counted AS (
        SELECT value, window_start, requests, input_tokens, output_tokens, trim_scale(cost) AS cost FROM llm_limit_usage
        WHERE limit_id = '${id}' AND requests <> 0), expected AS (SELECT * FROM (${query}) AS q WHERE window_start >= (SELECT counted_since FROM llm_limits WHERE id = '${id}'))
      SELECT to_json(w) AS wrong FROM ((TABLE counted EXCEPT TABLE expected) UNION ALL (TABLE expected EXCEPT TABLE counted)) AS w`)
    expect(rows, query).toEqual([])
  }
}

/** What happens to requests. Each returns after the database has counted it. */
const STEPS: Readonly<Record<string, (db: Database, random: Random, sent: LogRecord[]) => Promise<unknown>>> = {
  batch: async (db, random, sent) => {
    const rows = Array.from({ length: between(random, 1, 40) }, () => makeRow(random))
    sent.push(...rows)
    await write(db, rows)
  },
  replay: (db, random, sent) => write(db, [...sent.slice(-between(random, 1, 20)), makeRow(random)]),
  replaceDied: async (db, random, sent) => {
    const died = sent.filter(({ outcome }) => outcome === "gateway_died").slice(0, 5)
    const rows = died.map(({ id }) => ({ ...makeRow(random), id, outcome: "complete" as const }))
    sent.splice(0, sent.length, ...sent.filter((row) => !died.includes(row)))
    if (rows.length > 0) await write(db, rows)
  },
  reprice: async (db, random) => {
    const { rows } = await db.query<{ id: string; total_cost: string | null; cost_status: string }>(
      "SELECT id, total_cost, cost_status FROM llm_requests WHERE outcome <> 'gap' ORDER BY md5(id::text) LIMIT 7",
    )
    const total_cost = random.one([undefined, "0.25", "3"])
    const cost_status = total_cost === undefined ? "unpriced" : "exact"
    const old = rows.map((row) => ({ id: row.id, old_cost_status: row.cost_status, old_total_cost: row.total_cost }))
    const to = { input_cost: undefined, output_cost: undefined, total_cost, cost_status, price: null, reason: "test" }
    await applyRepricings(
      db,
      old.map((row) => ({ ...row, ...to })),
    )
  },
  annotate: (db) => db.query("UPDATE llm_requests SET error_message = 'seen'"),
  countAgain: (db) => db.query("SELECT majordomo_count_again()"),
}

describe("random limits and requests", () => {
  test.each([1, 2])(
    "what a limit has used is the sum of its requests, whatever happened to them (seed %d)",
    async (seed) => {
      const random = createRandom(seed)
      const db = await connect((await createTestDatabase()).url)
      await db.query("CREATE TABLE all_requests (LIKE llm_requests INCLUDING ALL)")
      const sent: LogRecord[] = []
      const limits: Counted[] = []
      for (let at = 0; at < 20; at++) {
        if (at % 3 === 0) limits.push(await addLimit(db, random))
        await STEPS[random.one(["batch", ...Object.keys(STEPS)])]!(db, random, sent)
        if (at % 4 === 0) await expectUsage(db, limits)
      }
      await expectUsage(db, limits)
      await prune(db, { olderThan: Date.parse("2026-11-01T12:00Z"), bodiesOnly: false })
      sent.length = 0 // a row that was pruned is not written again
      const { countAgain, ...others } = STEPS
      for (const step of [...Object.values(others), countAgain!]) await step(db, random, sent)
      await expectUsage(db, limits)
      expect((await verifyDatabase(db, { all: true })).differences).toEqual([])
    },
  )
})
