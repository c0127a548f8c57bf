import { tmpdir } from "node:os"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { activateName } from "../../src/database/metadata.ts"
import { openPostgres } from "../../src/database/open.ts"
import { toMessage } from "../../src/notifications/templates/index.ts"
import { findAnomalies } from "../../src/operations/notifications/anomalies.ts"
import { buildDigest } from "../../src/operations/notifications/digest.ts"
import { parseDimensions, parseFilters } from "../../src/operations/usage/question.ts"
import { reportUsage } from "../../src/operations/usage/report.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { aReconciliation, insertReconciliation } from "../support/reconciliations.ts"
import { insertKey, insertRows, type RowSeed } from "../support/usage-rows.ts"

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Europe/Berlin"]

let home: TestDatabase
let database: Database
let client: pg.Client
let settings: Awaited<ReturnType<typeof loadSettings>>["settings"]

/** Opens an empty database: rollups stay when their rows are deleted. */
async function openDatabase() {
  home = await createTestDatabase()
  database = await openPostgres(postgresAt(home.url, { maxConns: 4 }).postgres)
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  settings = (await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: home.url } })).settings
}
async function closeDatabase() {
  await client.end()
  await database.close()
  await home.drop()
}

const digestOf = async (every: "day" | "week" | "month", now: string, timeZone: string) =>
  buildDigest({ database, settings }, { every, now: Date.parse(now), timeZone })
const sum = (amounts: readonly string[]) => formatDecimal(amounts.reduce((all, each) => all + parseDecimal(each), 0n))

describe("a digest, on random rows", () => {
  afterAll(closeDatabase)
  beforeAll(async () => {
    await openDatabase()
    const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta"), await insertKey(client, "alpha")]
    await insertRandomUsage(client, { rows: 2500, since: "2026-08-20", until: "2026-11-20", keys, seed: 22 })
    await activateName(database, { name: "Feature", key: undefined })
    await backfillName(database, "Feature", () => {})
  })

  const cases = (["day", "week", "month"] as const).flatMap((every) =>
    // In Berlin and New York, the clock changes in the last week of October and the first days of November.
    ["2026-11-10T09:00:00Z", "2026-10-26T08:00:00Z", "2026-11-02T08:00:00Z"].flatMap((now) =>
      ZONES.map((zone) => [every, now, zone] as const),
    ),
  )

  test.each(cases)("every %s at %s in %s, its numbers are those of usage", async (every, now, timeZone) => {
    const { facts } = await digestOf(every, now, timeZone)
    const usageOf = async (by: string, [since, until]: readonly [string, string]) =>
      (
        await reportUsage(
          { database },
          {
            by: parseDimensions(by),
            period: { since: Date.parse(since), until: Date.parse(until), tz: timeZone },
            filters: parseFilters({ where: [] }),
          },
        )
      ).answer
    const period = [facts.since, facts.until] as const
    const models = await usageOf("model", period)
    expect(facts).toMatchObject({
      cost: models.total.total_cost ?? "0",
      requests: models.total.requests,
      errors: models.total.errors,
      unpriced_requests: models.total.unpriced,
    })
    expect(sum(facts.course.map(({ cost }) => cost))).toBe(facts.cost)
    expect(sum([facts.exact_cost, facts.estimated_cost])).toBe(facts.cost)
    for (const { dimension, groups } of facts.top) {
      const { rows } = await usageOf(dimension, period)
      expect(groups.map(({ cost, requests }) => [cost, requests])).toEqual(
        rows.slice(0, 5).map(({ total_cost, requests }) => [total_cost ?? "0", requests]),
      )
    }
    const before = [new Date(previousStart(facts.since, every, timeZone)).toISOString(), facts.since] as const
    const earlier = await usageOf("model", before)
    expect([facts.previous_cost, facts.previous_requests]).toEqual([
      earlier.total.total_cost ?? "0",
      earlier.total.requests,
    ])
    for (const { dimension, value, cost, previous_cost } of facts.changes.filter(
      ({ dimension }) => dimension === "model",
    )) {
      const costOf = (answer: typeof models) =>
        answer.rows.find(({ values }) => String(values[0]) === value)?.total_cost ?? "0"
      expect([dimension, cost, previous_cost]).toEqual(["model", costOf(models), costOf(earlier)])
    }
  })

  test("the cost that is estimated is that of the rows which say so", async () => {
    const { facts } = await digestOf("month", "2026-11-02T08:00:00Z", "UTC")
    const { rows } = await client.query(
      `SELECT trim_scale(sum(total_cost))::text AS cost FROM llm_requests WHERE cost_status IN ('estimated', 'inconsistent')
       AND outcome <> 'gap' AND billing IS DISTINCT FROM 'subscription' AND created_at >= '2026-10-01Z' AND created_at < '2026-11-01Z'`,
    )
    expect(facts.estimated_cost).toBe(rows[0].cost)
  })
})

/** Returns the start of the day, week or month before. */
function previousStart(since: string, every: "day" | "week" | "month", timeZone: string): number {
  const local = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(new Date(since))
  const [year, month, day] = local.split("-").map(Number) as [number, number, number]
  const wanted =
    every === "month" ? Date.UTC(year, month - 2, 1) : Date.UTC(year, month - 1, day - (every === "day" ? 1 : 7))
  const text = new Date(wanted).toISOString().slice(0, 10)
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    dateStyle: "short",
    timeStyle: "short",
    hourCycle: "h23",
  })
  for (let at = wanted - 14 * 3_600_000; ; at += 900_000) if (format.format(at) === `${text}, 00:00`) return at
}

describe("what needs attention", () => {
  const NOW = "2026-11-20T08:00:00Z"
  afterAll(closeDatabase)
  beforeAll(openDatabase)

  test("a day without requests has nothing", async () => {
    const { facts } = await digestOf("day", NOW, "UTC")
    expect(facts).toMatchObject({ cost: "0", requests: 0, top: [], changes: [], attention: [] })
    expect(facts.course).toHaveLength(24)
    expect(toMessage({ ...(await digestOf("day", NOW, "UTC")) }, { dashboardUrl: undefined }).title).toBe(
      "Thu, 19 Nov 2026 cost $0.00",
    )
  })

  test("names models without a price, errors, lost rows, limits, and bills that differ or were never compared", async () => {
    const at = "2026-11-19T10:00:00Z"
    // A new limit with a window counts only the present one, and these rows are of an earlier one.
    await client.query(
      `INSERT INTO llm_limits (name, measure, amount, window_unit, tz, action) VALUES ('all', 'cost', 2, 'total', 'UTC', 'block')`,
    )
    await insertRows(client, [
      ...Array.from({ length: 3 }, (): RowSeed => ({ at, model: "gpt-9", cost: null, status: "unpriced" })),
      ...Array.from({ length: 30 }, (): RowSeed => ({ at, code: 500, cost: "0.1" })),
    ])
    await client.query(
      `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at,
         response_time_ms, outcome, status_code, usage) VALUES ('', '', '', '', $1, $1, $1, 0, 'gap', 0, '{"dropped": 7}')`,
      [at],
    )
    const bill = aReconciliation({ provider: "anthropic", gap: "500" })
    await insertReconciliation(client, {
      ...bill,
      days: bill.days.map((each, i) => ({ ...each, day: `2026-11-${19 + i}` })),
    })
    const { facts } = await buildDigest(
      {
        database,
        settings: {
          ...settings,
          reconcile: { ...settings.reconcile, openai: { ...settings.reconcile.openai, adminKey: "k" } },
        },
      },
      { every: "day", now: Date.parse(NOW), timeZone: "UTC" },
    )
    expect(facts.attention).toMatchInlineSnapshot(`
      [
        "7 requests have no row, because it could not be kept, so the cost is more: see majordomo-gateway verify.",
        "3 requests have no known price: gpt-9 (openai). Set prices with majordomo-gateway pricing set, then run pricing reprice.",
        "The limit "all" is used up (3 of 2), so requests are rejected: see limits list.",
        "91% of the requests failed (before: 0.0%): see majordomo-gateway usage errors.",
        "The bill of anthropic differs from the records by more than is tolerated: see majordomo-gateway reconcile.",
        "The bill of openai was never compared, although its credential is set: run majordomo-gateway reconcile --provider openai, which says why.",
      ]
    `)
  })
})

describe("anomalies", () => {
  const NOW = Date.parse("2026-11-20T15:20:00Z")
  const HOUR_MS = 3_600_000
  const ago = (hours: number) => new Date(Math.floor(NOW / HOUR_MS) * HOUR_MS - hours * HOUR_MS + 60_000).toISOString()
  const find = (timeZone = "UTC") => findAnomalies({ database }, { now: NOW, timeZone })
  let ci: string

  /** Seven weeks of half a dollar per hour. */
  afterAll(closeDatabase)
  beforeAll(async () => {
    await openDatabase()
    ci = await insertKey(client, "ci")
    const key = await insertKey(client, "web")
    const hours = Array.from(
      { length: 49 * 24 },
      (_, i): RowSeed => ({ at: ago(i + 1), key, cost: "0.5", model: "gpt-5.5" }),
    )
    await insertRows(client, hours)
  })

  test("usual spend is none", async () => {
    expect(await find()).toEqual([])
  })

  test("the last hour is reported once with its drivers, and the same by every gateway", async () => {
    const metadata = { Feature: "evals" }
    await insertRows(client, [
      { at: ago(1), key: ci, cost: "40", model: "claude-opus-5.5", provider: "anthropic", metadata },
    ])
    const found = await find("Europe/Berlin")
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({
      kind: "anomaly",
      subject: "hour",
      window: "2026-11-20T14",
      severity: "warning",
      facts: {
        period: "hour",
        since: "2026-11-20T14:00:00.000Z",
        cost: "40.5",
        expected: "0.5",
        time_zone: "Europe/Berlin",
      },
    })
    expect(found[0]!.facts.drivers.slice(0, 2)).toEqual([
      { dimension: "key", value: "ci", cost: "40", expected: "0" },
      { dimension: "model", value: "claude-opus-5.5", cost: "40", expected: "0" },
    ])
    expect(await find("Europe/Berlin")).toEqual(found)
    expect(toMessage(found[0]!, { dashboardUrl: undefined }).title).toBe(
      "Spend from 15:00 to 16:00 was $40.50, usually about $0.50",
    )
  })

  test("a day whose hours are all a little above the usual is reported as a day", async () => {
    const yesterday = Array.from({ length: 24 }, (_, i): RowSeed => ({ at: ago(16 + i), key: ci, cost: "0.9" }))
    await insertRows(client, yesterday)
    const found = (await find()).filter(({ subject }) => subject === "day")
    expect(found).toMatchObject([{ window: "2026-11-19", facts: { period: "day", cost: "33.6", expected: "12" } }])
    expect(found[0]!.facts.drivers[0]).toEqual({ dimension: "key", value: "ci", cost: "21.6", expected: "0" })
  })
})
