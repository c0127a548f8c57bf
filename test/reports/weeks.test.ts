import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  askRollupState,
  askUsage,
  type Filters,
  findDimension,
  NO_ROLLUPS,
  type RollupState,
  readRollupState,
  readUsage,
  type UsageQuestion,
} from "../../src/reports/index.ts"
import { toPieces } from "../../src/reports/weeks.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { insertKey } from "../support/usage-rows.ts"

const DAY_MS = 86_400_000
const MONDAY = Date.parse("2026-10-19T00:00:00Z")

describe("a span of days is split into weeks and days", () => {
  /** Counts how often the pieces contain each day from 100 days before that Monday to 100 days after it. */
  function countDays(pieces: ReturnType<typeof toPieces>, foldedBefore: number): Map<number, number> {
    const counts = new Map<number, number>()
    for (let n = -100; n < 100; n++) {
      const day = MONDAY + n * DAY_MS
      const monday = MONDAY + Math.floor(n / 7) * 7 * DAY_MS
      for (const { from, span, sign } of pieces) {
        const at = from === "weeks" ? monday : day
        const isIn = at >= (span.since ?? Number.NEGATIVE_INFINITY) && at < (span.until ?? Number.POSITIVE_INFINITY)
        if (!isIn || (from === "weeks" && day >= foldedBefore)) continue
        counts.set(day, (counts.get(day) ?? 0) + (sign === "+" ? 1 : -1))
      }
    }
    return counts
  }

  test("contains every day of the span once and no other day, wherever the weeks end", () => {
    const random = createRandom(3)
    const someDay = () => MONDAY + Math.floor(random() * 100 - 50) * DAY_MS
    let withWeeks = 0
    for (let i = 0; i < 5000; i++) {
      const [since, end] = [someDay(), someDay()].sort((a, b) => a - b) as [number, number]
      const until = random() < 0.3 ? undefined : end
      const foldedBefore = someDay()
      const pieces = toPieces({ since, until }, foldedBefore)
      if (pieces.some(({ from }) => from === "weeks")) withWeeks++
      for (const [day, count] of countDays(pieces, foldedBefore)) {
        const isIn = day >= since && (until === undefined || day < until)
        expect(count, JSON.stringify({ since, until, foldedBefore, day })).toBe(isIn ? 1 : 0)
      }
    }
    expect(withWeeks).toBeGreaterThan(1000)
  })

  test("needs at most three days at each end, plus the current day", () => {
    for (let n = 0; n < 7; n++) {
      const since = MONDAY + n * DAY_MS
      const pieces = toPieces({ since }, MONDAY + 40 * DAY_MS)
      const days = pieces.flatMap(({ from, span }) =>
        from === "days" && span.until !== undefined ? [(span.until - span.since!) / DAY_MS] : [],
      )
      expect(Math.max(0, ...days)).toBeLessThanOrEqual(3)
    }
  })
})

describe("reports by a metadata name from weekly rollups", () => {
  let home: TestDatabase
  let client: pg.Client
  let keys: string[]
  beforeAll(async () => {
    home = await createTestDatabase()
    client = new pg.Client({ connectionString: home.url })
    await client.connect()
    keys = [await insertKey(client, "alpha"), await insertKey(client, "beta")]
    await client.query(
      "INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed) VALUES ('User-Id', true, true, true), ('Feature', true, true, true)",
    )
    const time = { since: "2026-02-25T00:00:00Z", until: "2026-05-20T00:00:00Z" }
    await insertRandomUsage(client, { ...time, rows: 3000, keys, seed: 11 })
  })
  afterAll(async () => {
    await client.end()
    await home.drop()
  })

  const run = async ({ text, values }: { text: string; values: readonly unknown[] }) =>
    (await client.query(text, [...values])).rows
  const readState = async () => readRollupState(await run(askRollupState()))
  const answer = async (question: UsageQuestion, on: RollupState) =>
    readUsage(await run(askUsage(question, on)), question)

  const PERIODS = [
    ["2026-03-01T00:00:00Z", undefined],
    ["2026-03-03T13:27:11.123Z", "2026-05-16T05:59:59.999Z"],
    ["2026-03-16T00:00:00Z", "2026-04-13T00:00:00Z"],
    ["2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"],
    ["2026-05-12T10:45:00Z", undefined],
  ] as const
  const ASKS: readonly { by: string[]; filters: Filters }[] = [
    { by: ["User-Id"], filters: {} },
    { by: ["Feature"], filters: { where: { Feature: "s*" } } },
    { by: [], filters: { where: { "User-Id": "u3" } } },
    { by: ["User-Id", "week"], filters: {} },
  ]
  const QUESTIONS = ["UTC", "Asia/Kolkata", "Pacific/Chatham"].flatMap((tz) =>
    PERIODS.flatMap(([since, until]) =>
      ASKS.map(({ by, filters }): UsageQuestion => {
        const period = { since: Date.parse(since), until: until === undefined ? undefined : Date.parse(until), tz }
        return { by: by.map((name) => findDimension(name)!), period, filters, sort: "name" }
      }),
    ),
  )

  async function expectEqualToRows(): Promise<void> {
    const rollups = await readState()
    for (const question of QUESTIONS) {
      const description = JSON.stringify([question.by.map(({ name }) => name), question.period, question.filters])
      expect(await answer(question, rollups), description).toEqual(await answer(question, NO_ROLLUPS))
    }
    expect(await differences()).toEqual([])
  }

  /** Returns the weeks that differ from the sum of their days in any column. */
  async function differences(): Promise<unknown[]> {
    const { rows: columns } = await client.query(
      "SELECT attname FROM pg_attribute WHERE attrelid = 'llm_usage_metadata'::regclass AND attnum > 0 AND attname NOT IN ('day', 'name', 'value')",
    )
    const [sums, all] = [(c: string) => `sum(${c}) AS ${c}`, (c: string) => c].map((write) =>
      columns.map(({ attname }) => write!(attname)).join(", "),
    )
    const days = `SELECT date_trunc('week', day)::date AS week, name, value, ${sums} FROM llm_usage_metadata
      WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3`
    const weeks = `SELECT week, name, value, ${all} FROM llm_usage_metadata_weekly`
    return (await client.query(`(${days} EXCEPT ${weeks}) UNION ALL (${weeks} EXCEPT ${days})`)).rows
  }

  /** Runs work in a transaction and rolls it back. */
  async function rolledBack(work: () => Promise<void>): Promise<void> {
    await client.query("BEGIN")
    try {
      await work()
    } finally {
      await client.query("ROLLBACK")
    }
  }
  const foldBefore = async (day: string) => {
    await client.query("UPDATE majordomo_schema SET folded_before = $1", [day])
    await client.query("SELECT majordomo_fold_again('-infinity')")
  }

  test.each(["2026-02-20", "2026-03-02", "2026-04-16", "2026-05-13", "2027-01-01"])(
    "equal reports from rows, to the last digit, when days before %s have ended",
    (day) =>
      rolledBack(async () => {
        await foldBefore(day)
        await expectEqualToRows()
      }),
  )

  test("read the weekly table", async () => {
    await rolledBack(async () => {
      await foldBefore("2026-05-13")
      expect(askUsage(QUESTIONS[0]!, await readState()).text).toContain("llm_usage_metadata_weekly")
    })
  })

  test("stay equal when days end, rows arrive late, costs change, days are recounted, and rows are pruned", () =>
    rolledBack(async () => {
      await foldBefore("2026-04-16")
      const time = { since: "2026-04-01T00:00:00Z", until: "2026-05-18T00:00:00Z" }
      await insertRandomUsage(client, { ...time, rows: 300, keys, seed: 12 })
      await expectEqualToRows()
      await client.query(
        "UPDATE llm_requests SET total_cost = 0.000000000001, cost_status = 'exact' WHERE cost_status = 'unpriced'",
      )
      await expectEqualToRows()
      await client.query(
        `UPDATE llm_requests SET raw_metadata = '{"User-Id": "u99"}' WHERE raw_metadata ->> 'User-Id' = 'u7'`,
      )
      await expectEqualToRows()
      await client.query(
        "UPDATE llm_usage_metadata SET requests = requests + 1 WHERE day IN ('2026-04-22', '2026-05-03') AND name = 'User-Id'",
      )
      await client.query(
        "SELECT majordomo_count_name('User-Id', '2026-04-22'), majordomo_count_name('User-Id', '2026-05-03')",
      )
      await expectEqualToRows()
      await client.query("UPDATE llm_usage_metadata_weekly SET requests = requests + 1 WHERE week > '2026-04-10'")
      await client.query("SELECT majordomo_count_again('2026-04-15T12:00:00Z')")
      await expectEqualToRows()

      const question = QUESTIONS[0]!
      const before = await answer(question, NO_ROLLUPS)
      await client.query("UPDATE majordomo_schema SET pruned_before = '2026-04-22Z'")
      await client.query("DELETE FROM llm_requests WHERE created_at < '2026-04-22Z'")
      expect(await answer(question, await readState())).toEqual(before)
      await client.query("SELECT majordomo_count_again()")
      expect(await answer(question, await readState())).toEqual(before)
      expect(await differences()).toEqual([])
    }))

  test("contain yesterday, whenever its rows arrive, but not today", () =>
    rolledBack(async () => {
      const write = (day: string) =>
        client.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, raw_metadata, created_at)
          VALUES ('p', 'm', '/', 'POST', ${day}, ${day}, 1, 200, '{"User-Id": "near"}', ${day})`)
      const near = async () =>
        (
          await client.query(
            "SELECT sum(requests)::int AS requests FROM llm_usage_metadata_weekly WHERE value = 'near'",
          )
        ).rows[0].requests
      await foldBefore("2026-04-16")
      await write("now() - interval '1 day'")
      expect(await near()).toBe(1)
      await write("now() - interval '1 day'")
      await write("now()")
      expect(await near()).toBe(2)
      await expectEqualToRows()
      await foldBefore("tomorrow")
      expect(await near()).toBe(3)
    }))

  test("a name that is no longer active and an emptied table have no weeks", () =>
    rolledBack(async () => {
      await foldBefore("2026-05-13")
      const weeks = async () => (await client.query("SELECT DISTINCT name FROM llm_usage_metadata_weekly")).rows
      await client.query("UPDATE llm_usage_metadata_names SET every_key = false WHERE name = 'Feature'")
      await client.query("UPDATE llm_requests_metadata_keys SET is_active = false WHERE key_name = 'Feature'")
      expect(await weeks()).toEqual([{ name: "User-Id" }])
      await client.query("TRUNCATE llm_requests")
      expect(await weeks()).toEqual([])
    }))
})

test("a row that arrives while the days of a name are counted is in the rollups once", async () => {
  const home = await createTestDatabase()
  const [one, other] = [0, 1].map(() => new pg.Client({ connectionString: home.url })) as [pg.Client, pg.Client]
  await Promise.all([one.connect(), other.connect()])
  const insert = `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, raw_metadata, created_at)
    VALUES ('p', 'm', '/', 'POST', '2026-03-04Z', '2026-03-04Z', 1, 200, '{"User-Id": "7"}', '2026-03-04Z')`
  await one.query(insert)
  await one.query("INSERT INTO llm_usage_metadata_names (name, every_key) VALUES ('User-Id', true)")

  await one.query("BEGIN; SELECT pg_advisory_xact_lock(7680, 2)") // the lock of a batch that is being written
  const counted = other.query("SELECT majordomo_count_name('User-Id', '2026-03-04')::int AS requests")
  while (
    (
      await one.query(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
      )
    ).rowCount === 0
  );
  await one.query(insert)
  await one.query("COMMIT")

  expect((await counted).rows).toEqual([{ requests: 2 }])
  const { rows } = await one.query(
    "SELECT value, requests::int FROM llm_usage_metadata UNION ALL SELECT value, requests::int FROM llm_usage_metadata_weekly",
  )
  expect(rows).toEqual([
    { value: "7", requests: 2 },
    { value: "7", requests: 2 },
  ])
  await Promise.all([one.end(), other.end()])
  await home.drop()
})
