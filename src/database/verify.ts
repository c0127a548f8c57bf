import type { Database, RunQuery } from "./_database.ts"
import { readJournals } from "./ledger/read.ts"

/** Reading millions of rows may take long. */
const TIMEOUT_MS = 3_600_000
const IDS_PER_QUERY = 5000

/** The rows that the disk and the database know of: accepted = written + waiting + rejected + dropped + lost. */
export interface VerifyResult {
  readonly accepted: number
  /** Requests in the database. */
  readonly written: number
  /** Rows in a journal, or in the memory of a gateway, that are not in the database yet. */
  readonly waiting: number
  /** Rows in a `rejected.jsonl`. */
  readonly rejected: number
  /** Rows that were dropped, according to the rows with `outcome = gap` and the counters beside the journals. */
  readonly dropped: number
  /** Rows that were removed from a journal and are not in the database. Must be 0. */
  readonly lost: number
  /** Requests that are running, or whose process died and that get their row when its journal is opened. */
  readonly begun: number
  /** Days (UTC) whose rollups differ from their requests, and Mondays of weeks whose rollups differ from their days. */
  readonly wrongDays: readonly string[]
}

/**
 * Compares journals, requests and rollups. It reads the journals first, so that rows written in the meantime are found in
 * the database. It reads requests and rollups in one snapshot, and takes no lock.
 */
export async function verifyLedger(db: Database, journalRoot: string): Promise<VerifyResult> {
  const journals = await readJournals(journalRoot)
  return db.transaction(async (query) => {
    await query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    const { rows } = await query<{ written: string; dropped: string }>({
      text: `SELECT count(*) FILTER (WHERE outcome <> 'gap')::text AS written,
        coalesce(sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap'), 0)::text AS dropped FROM llm_requests`,
      timeoutMs: TIMEOUT_MS,
    })
    const written = Number(rows[0]!.written)
    const dropped = Number(rows[0]!.dropped) + journals.dropped
    const waiting = (await countMissing(query, journals.waiting)) + journals.inMemory
    const rejectedIds = new Set(journals.rejected)
    const lost = await countMissing(
      query,
      journals.acknowledged.filter((id) => !rejectedIds.has(id)),
    )
    const rejected = journals.rejected.length
    const wrong = [...(await findWrongDays(query)), ...(await findWrongNames(query)), ...(await findWrongWeeks(query))]
    const wrongDays = [...new Set(wrong)].sort()
    const accepted = written + waiting + rejected + dropped + lost
    return { accepted, written, waiting, rejected, dropped, lost, begun: journals.open, wrongDays }
  })
}

/** Rebuilds the rollups from the requests, from the first wrong day on. */
export async function repairRollups(db: Database, wrongDays: readonly string[]): Promise<void> {
  const [first] = [...wrongDays].sort()
  if (first === undefined) return
  await db.query({
    text: "SELECT majordomo_count_again($1::date::timestamp AT TIME ZONE 'UTC')",
    values: [first],
    timeoutMs: TIMEOUT_MS,
  })
}

async function countMissing(query: RunQuery, ids: readonly string[]): Promise<number> {
  let missing = 0
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const { rows } = await query<{ missing: number }>({
      text: `SELECT count(*)::int AS missing FROM unnest($1::uuid[]) AS given(id)
        WHERE NOT EXISTS (SELECT FROM llm_requests r WHERE r.id = given.id)`,
      values: [ids.slice(from, from + IDS_PER_QUERY)],
      timeoutMs: TIMEOUT_MS,
    })
    missing += rows[0]!.missing
  }
  return missing
}

/**
 * Finds days whose rollups by hour, key, or day differ from their requests. The rollups keep pruned requests, so they may
 * count more on the oldest day that still has requests; earlier days cannot be checked.
 */
async function findWrongDays(query: RunQuery): Promise<string[]> {
  const numbers =
    "sum(requests) AS requests, sum(input_tokens) AS input, sum(output_tokens) AS output, sum(total_cost) AS cost"
  const { rows } = await query<{ day: string }>({
    text: `WITH truth AS (
        SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS requests, coalesce(sum(input_tokens), 0) AS input,
          coalesce(sum(output_tokens), 0) AS output, coalesce(sum(total_cost), 0) AS cost
        FROM llm_requests WHERE outcome <> 'gap' GROUP BY 1
      ), daily AS (SELECT day, ${numbers} FROM llm_usage_daily GROUP BY 1),
      hourly AS (SELECT (hour AT TIME ZONE 'UTC')::date AS day, ${numbers} FROM llm_usage_hourly GROUP BY 1),
      keys AS (SELECT (hour AT TIME ZONE 'UTC')::date AS day, ${numbers} FROM llm_usage_hourly_keys GROUP BY 1),
      oldest AS (SELECT min(day) AS first_day FROM truth)
      SELECT day::text FROM truth FULL JOIN daily USING (day) FULL JOIN hourly USING (day) FULL JOIN keys USING (day) CROSS JOIN oldest
      WHERE day >= first_day AND CASE WHEN day = first_day
        THEN truth.requests > least(coalesce(daily.requests, 0), coalesce(hourly.requests, 0), coalesce(keys.requests, 0))
        ELSE (truth.requests, truth.input, truth.output, truth.cost) IS DISTINCT FROM (daily.requests, daily.input, daily.output, daily.cost)
          OR (truth.requests, truth.input, truth.output, truth.cost) IS DISTINCT FROM (hourly.requests, hourly.input, hourly.output, hourly.cost)
          OR (truth.requests, truth.input, truth.output, truth.cost) IS DISTINCT FROM (keys.requests, keys.input, keys.output, keys.cost) END
      ORDER BY 1`,
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ day }) => day)
}

/** Finds days whose rollups by metadata name differ from their requests, for the names whose rollups are complete. */
async function findWrongNames(query: RunQuery): Promise<string[]> {
  const { rows } = await query<{ day: string }>({
    text: `WITH truth AS (
        SELECT n.name, (r.created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS requests, coalesce(sum(r.total_cost), 0) AS cost
        FROM llm_requests r JOIN llm_usage_metadata_names n ON n.summed AND r.raw_metadata ->> n.name IS NOT NULL
        WHERE r.outcome <> 'gap' GROUP BY 1, 2
      ), sums AS (
        SELECT m.name, m.day, sum(m.requests) AS requests, sum(m.total_cost) AS cost
        FROM llm_usage_metadata m JOIN llm_usage_metadata_names n ON n.summed AND n.name = m.name GROUP BY 1, 2
      ), oldest AS (SELECT min((created_at AT TIME ZONE 'UTC')::date) AS first_day FROM llm_requests)
      SELECT DISTINCT day::text FROM truth FULL JOIN sums USING (name, day) CROSS JOIN oldest
      WHERE day >= first_day AND CASE WHEN day = first_day THEN truth.requests > coalesce(sums.requests, 0)
        ELSE (coalesce(truth.requests, 0), coalesce(truth.cost, 0)) <> (coalesce(sums.requests, 0), coalesce(sums.cost, 0)) END`,
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ day }) => day)
}

/** Finds weeks whose rollups differ from the rollups of their days, value by value, including weeks of pruned requests. */
async function findWrongWeeks(query: RunQuery): Promise<string[]> {
  const { rows } = await query<{ week: string }>({
    text: `WITH days AS (
        SELECT date_trunc('week', day)::date AS week, name, value, sum(requests) AS requests, sum(total_cost) AS cost
        FROM llm_usage_metadata WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      )
      SELECT DISTINCT week::text FROM days FULL JOIN llm_usage_metadata_weekly w USING (week, name, value)
      WHERE (coalesce(days.requests, 0), coalesce(days.cost, 0)) <> (coalesce(w.requests, 0), coalesce(w.total_cost, 0))`,
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ week }) => week)
}
