import type { Database, RunQuery } from "./_database.ts"
import { readJournals } from "./ledger/read.ts"

/** Reading millions of rows takes its time. */
const NO_HURRY_MS = 3_600_000
const IDS_PER_QUESTION = 5000

/** accepted = written + waiting + rejected + dropped + lost, as far as disk and database know of rows. */
export interface VerifyResult {
  readonly accepted: number
  /** Rows of requests in the database. */
  readonly written: number
  /** In a journal, and not yet in the database. */
  readonly waiting: number
  /** In a `rejected.jsonl`. */
  readonly rejected: number
  /** By the rows with `outcome = gap`. */
  readonly dropped: number
  /** Taken away from a journal, and not in the database: must be 0. */
  readonly lost: number
  /** Requests that run now, or whose process died and that get their row when its journal is opened. */
  readonly begun: number
  /** Days (UTC) whose sums are not what their rows add up to; Mondays of weeks that are not what their days add up to. */
  readonly wrongDays: readonly string[]
}

/**
 * Compares journals, rows and sums. Journals are read first, so rows that come meanwhile are in the database when it
 * is asked; rows and sums are read in one snapshot. Nothing is locked.
 */
export async function verifyLedger(db: Database, journalRoot: string): Promise<VerifyResult> {
  const journals = await readJournals(journalRoot)
  return db.transaction(async (query) => {
    await query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    const { rows } = await query<{ written: string; dropped: string }>({
      text: `SELECT count(*) FILTER (WHERE outcome <> 'gap')::text AS written,
        coalesce(sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap'), 0)::text AS dropped FROM llm_requests`,
      timeoutMs: NO_HURRY_MS,
    })
    const written = Number(rows[0]!.written)
    const dropped = Number(rows[0]!.dropped)
    const waiting = await countMissing(query, journals.waiting)
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

/** Builds the sums again from the rows, from the first wrong day on. */
export async function repairRollups(db: Database, wrongDays: readonly string[]): Promise<void> {
  const [first] = [...wrongDays].sort()
  if (first === undefined) return
  await db.query({
    text: "SELECT majordomo_count_again($1::date::timestamp AT TIME ZONE 'UTC')",
    values: [first],
    timeoutMs: NO_HURRY_MS,
  })
}

async function countMissing(query: RunQuery, ids: readonly string[]): Promise<number> {
  let missing = 0
  for (let from = 0; from < ids.length; from += IDS_PER_QUESTION) {
    const { rows } = await query<{ missing: number }>({
      text: `SELECT count(*)::int AS missing FROM unnest($1::uuid[]) AS asked(id)
        WHERE NOT EXISTS (SELECT FROM llm_requests r WHERE r.id = asked.id)`,
      values: [ids.slice(from, from + IDS_PER_QUESTION)],
      timeoutMs: NO_HURRY_MS,
    })
    missing += rows[0]!.missing
  }
  return missing
}

/**
 * Sums outlive rows that are pruned, so on the oldest day that has rows they may be more, and before it they are all
 * there is.
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
    timeoutMs: NO_HURRY_MS,
  })
  return rows.map(({ day }) => day)
}

/** The same for the sums by metadata names, of those that say that all their rows are in them. */
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
    timeoutMs: NO_HURRY_MS,
  })
  return rows.map(({ day }) => day)
}

/** Value by value; of weeks whose rows were pruned too, for their days are left. */
async function findWrongWeeks(query: RunQuery): Promise<string[]> {
  const { rows } = await query<{ week: string }>({
    text: `WITH days AS (
        SELECT date_trunc('week', day)::date AS week, name, value, sum(requests) AS requests, sum(total_cost) AS cost
        FROM llm_usage_metadata WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      )
      SELECT DISTINCT week::text FROM days FULL JOIN llm_usage_metadata_weekly w USING (week, name, value)
      WHERE (coalesce(days.requests, 0), coalesce(days.cost, 0)) <> (coalesce(w.requests, 0), coalesce(w.total_cost, 0))`,
    timeoutMs: NO_HURRY_MS,
  })
  return rows.map(({ week }) => week)
}
