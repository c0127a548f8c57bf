import type { RunQuery } from "../_database.ts"
import { COUNTERS, type Counter, toCounted } from "../counters.ts"
import { sumDays } from "./digests.ts"
import { type PeriodSummary, TIMEOUT_MS } from "./periods.ts"
import { dayOf, IN_RANGE, inDays, inHours, NAMES, NO_KEY } from "./sql.ts"

/**
 * The statements that compare rollups with what they are the sum of. Each takes the first day ($1) and the day after the
 * last one ($2), and is one statement, so that it sees one snapshot. Its rows are `ComparedRow`s.
 */

const list = (toItem: (counter: Counter) => string) => COUNTERS.map(toItem).join(", ")
const COUNTED = list(toCounted)
const TOTALS = list(({ name }) => `sum(${name}) AS ${name}`)

/** True if a counter of `a` and `b` differs, or is NaN or Infinity in one of them or in both: x - x is 0 only for numbers. */
const differs = ({ name }: Counter) => `coalesce(a.${name}, 0) - coalesce(b.${name}, 0) <> 0`
const ANY_DIFFERS = COUNTERS.map(differs).join(" OR ")
/** The names of the counters that differ in a group of rows of `a FULL JOIN b`. */
const DIFFERENT = toNames(differs)
const NOT_A_NUMBER = toNames(({ name }) => `${name} IN ('NaN', 'Infinity', '-Infinity')`, isNumeric)

function isNumeric({ type }: Counter): boolean {
  return type === "numeric"
}

function toNames(
  toCondition: (counter: Counter) => string,
  filter: (counter: Counter) => boolean = () => true,
): string {
  const names = COUNTERS.filter(filter).map(
    (counter) => `CASE WHEN bool_or(${toCondition(counter)}) THEN '${counter.name}' END`,
  )
  return `array_remove(ARRAY[${names.join(", ")}], NULL)`
}

const HOUR_TEXT = `to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')`

const NOTHING = "NULL::float8 AS requests, NULL::float8 AS gaps, NULL::float8 AS dropped, NULL::text AS digest"
const NO_NAME = "NULL::text AS name"

interface Comparison {
  readonly table: string
  /** The columns of the primary key of a and b. */
  readonly key: string
  readonly day: string
  /** Names the period in a report. */
  readonly period: string
  /** Two queries with the columns of `key` and all counters. */
  readonly a: string
  readonly b: string
  /** A text column of the key that a difference names. */
  readonly name?: string
}

function compare({ table, key, day, period, a, b, name }: Comparison): string {
  return `SELECT '${table}' AS "table", (${day})::text AS day, ${period} AS period, ${name ?? NO_NAME}, ${DIFFERENT} AS counters, ${NOTHING}
    FROM (${a}) AS a FULL JOIN (${b}) AS b USING (${key}) WHERE ${ANY_DIFFERS} GROUP BY 2, 3, 4`
}

/** One row for each period, without a table: what `majordomo_verified` remembers of it. */
const summarize = (columns: string, from: string) =>
  `SELECT NULL AS "table", starts::date::text AS day, NULL AS period, ${NO_NAME}, NULL::text[] AS counters, ${columns} FROM ${from}`

/** Compares the rollups of days with the requests of these days. */
const COMPARE_DAYS = `
  WITH cells AS MATERIALIZED (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour, coalesce(majordomo_api_key_id, ${NO_KEY}) AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model, outcome = 'gap' AS is_gap, ${COUNTED},
      sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap') AS dropped
    FROM llm_requests WHERE ${inHours("created_at")} GROUP BY 1, 2, 3, 4, 5
  ), hours AS MATERIALIZED (
    SELECT hour, provider, model, is_gap, ${TOTALS}, sum(dropped) AS dropped FROM cells GROUP BY 1, 2, 3, 4
  ), named AS MATERIALIZED (
    SELECT n.name, ${dayOf("created_at")} AS day, left(raw_metadata ->> n.name, 255) AS value, ${COUNTED}
    FROM llm_requests CROSS JOIN (${NAMES}) AS n
    WHERE ${inHours("created_at")} AND outcome <> 'gap' AND raw_metadata ->> n.name IS NOT NULL GROUP BY 1, 2, 3
  ), stored AS MATERIALIZED (
    SELECT * FROM llm_usage_metadata WHERE ${inDays("day")} AND name IN (${NAMES})
  ), placed AS (
    -- A value without totals of its own is part of '(other)', if the day has that.
    SELECT c.*, CASE WHEN s.value IS NULL AND o.value IS NOT NULL THEN o.value ELSE c.value END AS place
    FROM named c LEFT JOIN stored s USING (name, day, value)
    LEFT JOIN stored o ON (o.name, o.day, o.value) = (c.name, c.day, '(other)')
  )
  ${compare({
    table: "llm_usage_hourly",
    key: "hour, provider, model",
    day: dayOf("hour"),
    period: HOUR_TEXT,
    a: "SELECT * FROM hours WHERE NOT is_gap",
    b: `SELECT * FROM llm_usage_hourly WHERE ${inHours("hour")}`,
  })}
  UNION ALL ${compare({
    table: "llm_usage_hourly_keys",
    key: "hour, majordomo_api_key_id",
    day: dayOf("hour"),
    period: HOUR_TEXT,
    a: `SELECT hour, majordomo_api_key_id, ${TOTALS} FROM cells WHERE NOT is_gap GROUP BY 1, 2`,
    b: `SELECT * FROM llm_usage_hourly_keys WHERE ${inHours("hour")}`,
  })}
  UNION ALL ${compare({
    table: "llm_usage_daily",
    key: "day, majordomo_api_key_id, provider, model",
    day: "day",
    period: "day::text",
    a: `SELECT ${dayOf("hour")} AS day, majordomo_api_key_id, provider, model, ${TOTALS} FROM cells WHERE NOT is_gap GROUP BY 1, 2, 3, 4`,
    b: `SELECT * FROM llm_usage_daily WHERE ${inDays("day")}`,
  })}
  UNION ALL ${compare({
    table: "llm_usage_metadata",
    key: "name, day, value",
    day: "day",
    period: "day::text",
    name: "name",
    a: `SELECT name, day, place AS value, ${TOTALS} FROM placed GROUP BY 1, 2, 3`,
    b: "SELECT * FROM stored",
  })}
  UNION ALL
  -- A value may itself be '(other)', so that it is counted or not.
  SELECT 'llm_usage_metadata_values', day::text, day::text, name, ARRAY['distinct_values'], ${NOTHING}
  FROM (SELECT name, day, count(*) AS all_values, count(*) FILTER (WHERE value <> '(other)') AS others FROM stored GROUP BY 1, 2) AS s
  FULL JOIN (SELECT * FROM llm_usage_metadata_values WHERE ${inDays("day")} AND name IN (${NAMES})) AS v USING (name, day)
  WHERE coalesce(v.distinct_values, 0) NOT IN (coalesce(s.all_values, 0), coalesce(s.others, 0))
  UNION ALL
  SELECT * FROM (
    SELECT 'llm_requests', ${dayOf("hour")}::text, ${HOUR_TEXT}, ${NO_NAME}, ${NOT_A_NUMBER} AS counters, ${NOTHING}
    FROM hours GROUP BY 2, 3
  ) AS rows WHERE counters <> '{}'
  UNION ALL ${summarize(
    "requests, gaps, dropped, digest",
    `(SELECT ${dayOf("hour")} AS starts, sum(requests)::float8 AS requests, coalesce(sum(requests) FILTER (WHERE is_gap), 0)::float8 AS gaps,
        coalesce(sum(dropped), 0)::float8 AS dropped FROM hours GROUP BY 1) AS counted
      FULL JOIN (${sumDays(IN_RANGE)}) AS digests USING (starts)
      WHERE starts >= coalesce((SELECT ${dayOf("pruned_before")} FROM majordomo_schema), '-infinity')`,
  )}`

/**
 * Compares the rollups of pruned days with each other, because their requests are gone: the hours by provider and model,
 * and the hours by key, must have the totals of the days.
 */
const COMPARE_PRUNED_DAYS = `
  WITH daily AS MATERIALIZED (SELECT * FROM llm_usage_daily WHERE ${inDays("day")}),
  gaps AS (
    SELECT ${dayOf("created_at")} AS starts, count(*) AS requests, count(*) FILTER (WHERE outcome = 'gap') AS gaps,
      sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap') AS dropped
    FROM llm_requests WHERE ${inHours("created_at")} GROUP BY 1
  )
  ${compare({
    table: "llm_usage_hourly",
    key: "day, provider, model",
    day: "day",
    period: "day::text",
    a: `SELECT ${dayOf("hour")} AS day, provider, model, ${TOTALS} FROM llm_usage_hourly WHERE ${inHours("hour")} GROUP BY 1, 2, 3`,
    b: `SELECT day, provider, model, ${TOTALS} FROM daily GROUP BY 1, 2, 3`,
  })}
  UNION ALL ${compare({
    table: "llm_usage_hourly_keys",
    key: "day, majordomo_api_key_id",
    day: "day",
    period: "day::text",
    a: `SELECT ${dayOf("hour")} AS day, majordomo_api_key_id, ${TOTALS} FROM llm_usage_hourly_keys WHERE ${inHours("hour")} GROUP BY 1, 2`,
    b: `SELECT day, majordomo_api_key_id, ${TOTALS} FROM daily GROUP BY 1, 2`,
  })}
  UNION ALL ${summarize(
    "coalesce(requests, 0)::float8, coalesce(gaps, 0)::float8, coalesce(dropped, 0)::float8, digest",
    `gaps FULL JOIN (${sumDays(IN_RANGE)}) AS digests USING (starts)`,
  )}`

/** Compares the rollups of weeks with those of their days, value by value. */
const COMPARE_WEEKS = `
  ${compare({
    table: "llm_usage_metadata_weekly",
    key: "name, week, value",
    day: "week",
    period: "week::text",
    name: "name",
    a: `SELECT name, date_trunc('week', day)::date AS week, value, ${TOTALS} FROM llm_usage_metadata
      WHERE ${inDays("day")} AND day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3`,
    b: `SELECT * FROM llm_usage_metadata_weekly WHERE ${inDays("week")}`,
  })}
  UNION ALL ${summarize("0::float8, 0::float8, 0::float8, '0'", "generate_series($1::date, $2::date - 1, interval '7 days') AS weeks (starts)")}`

/** Counters of a rollup, in one period, that differ from what they are the sum of. */
export interface Difference {
  /** The rollup. `llm_requests` if a request itself has NaN; `llm_limit_usage` if a limit differs. */
  readonly table: string
  /** The first day (UTC) that a repair has to compute again: a day, or the Monday of a week. */
  readonly day: string
  /** The name of the period in the table: an hour (`2026-11-28T10:00Z`), a day, the Monday of a week, or the start of a window. */
  readonly period: string
  /** The metadata name, for the rollups by metadata; the name of the limit. */
  readonly name: string | null
  readonly counters: readonly string[]
  /** The requests of the period were pruned, so that the right numbers are not known. */
  readonly isPruned: boolean
}

interface ComparedRow extends Omit<Difference, "table" | "isPruned">, Omit<PeriodSummary, "starts"> {
  readonly table: string | null
}

interface Compared {
  readonly differences: readonly Difference[]
  readonly periods: readonly PeriodSummary[]
}

const STATEMENTS = { days: COMPARE_DAYS, prunedDays: COMPARE_PRUNED_DAYS, weeks: COMPARE_WEEKS } as const

/** Compares every counter of the days or weeks from `from` to before `until`, in one snapshot. */
export async function findDifferences(
  query: RunQuery,
  what: keyof typeof STATEMENTS,
  from: string,
  until: string,
): Promise<Compared> {
  const { rows } = await query<ComparedRow>({ text: STATEMENTS[what], values: [from, until], timeoutMs: TIMEOUT_MS })
  const periods = rows.flatMap(({ table, day, requests, gaps, dropped, digest }) =>
    table === null ? [{ starts: day, requests, gaps, dropped, digest: digest ?? "0" }] : [],
  )
  const known = new Set(periods.map(({ starts }) => starts))
  const differences = rows.flatMap(({ table, day, period, name, counters }) =>
    // A day that is missing was pruned in the meantime.
    table === null || !known.has(day) ? [] : [{ table, day, period, name, counters, isPruned: what === "prunedDays" }],
  )
  return { differences: (what === "prunedDays" ? nameDaily(differences) : differences).sort(byPeriod), periods }
}

/** Names the daily rollup where both hourly ones differ from it, because it is more likely that one rollup is wrong than two. */
function nameDaily(differences: readonly Difference[]): Difference[] {
  return differences.flatMap((each) => {
    const other = differences.find(({ day, table }) => day === each.day && table !== each.table)
    const own = each.counters.filter((counter) => !other?.counters.includes(counter))
    const shared = each.table === "llm_usage_hourly" ? each.counters.filter((counter) => !own.includes(counter)) : []
    return [
      ...(shared.length > 0 ? [{ ...each, table: "llm_usage_daily", counters: shared }] : []),
      ...(own.length > 0 ? [{ ...each, counters: own }] : []),
    ]
  })
}

function byPeriod(a: Difference, b: Difference): number {
  return a.period < b.period ? -1 : a.period > b.period ? 1 : a.table < b.table ? -1 : 1
}
