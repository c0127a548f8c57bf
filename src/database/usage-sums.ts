import type { Database } from "./_database.ts"

/** The cost of one model's requests in the present day and month (UTC). Costs are USD as plain decimals. */
export interface UsageSum {
  readonly provider: string
  /** `(other)`: all models of the provider beyond the limit. */
  readonly model: string
  readonly day: Sums
  readonly month: Sums
}

interface Sums {
  readonly requests: number
  readonly cost: string
  readonly unpriced: number
}

/**
 * Adds up the rollups, which follow every change of a row, by provider and model. Clients choose the names of models, so
 * that only the `most` with the highest cost have sums of their own.
 */
export async function readUsageSums(db: Database, { at, most }: { readonly at: number; readonly most: number }) {
  const day = new Date(at).toISOString().slice(0, 10)
  const { rows } = await db.query<Record<string, string>>({ text: SUMS, values: [`${day}Z`, most] })
  const toSums = (row: Record<string, string>, period: "day" | "month"): Sums => ({
    requests: Number(row[`${period}_requests`]),
    cost: row[`${period}_cost`]!,
    unpriced: Number(row[`${period}_unpriced`]),
  })
  return rows.map((row): UsageSum => {
    return { provider: row["provider"]!, model: row["model"]!, day: toSums(row, "day"), month: toSums(row, "month") }
  })
}

const ADDED = ["requests", "cost", "unpriced"].flatMap((name) => [`${name}_day`, `${name}_month`])
const sum = (column: string, name: string) =>
  `coalesce(sum(${column}) FILTER (WHERE hour >= $1::timestamptz), 0) AS ${name}_day, sum(${column}) AS ${name}_month`

const SUMS = `WITH sums AS (
  SELECT provider, model, ${sum("requests", "requests")}, ${sum("total_cost", "cost")}, ${sum("unpriced", "unpriced")}
  FROM llm_usage_hourly WHERE hour >= date_trunc('month', $1::timestamptz, 'UTC') GROUP BY 1, 2
), named AS (
  SELECT *, CASE WHEN row_number() OVER (ORDER BY cost_month DESC, requests_month DESC, provider, model) <= $2::bigint
    THEN model ELSE '(other)' END AS name FROM sums
)
SELECT provider, name AS model, ${ADDED.map((name) => {
  const [column, period] = name.split("_")
  return `trim_scale(sum(${name}))::text AS ${period}_${column}`
}).join(", ")}
FROM named GROUP BY 1, 2 ORDER BY sum(cost_month) DESC, 1, 2`
