import { createTable } from "../../core/table.ts"
import type { Database, RunQuery } from "../_database.ts"
import type { OnProgress } from "../backfill.ts"
import { COUNTERS, toCounted } from "../counters.ts"
import { RUN_ROLLUP } from "../run-counters.ts"
import type { Difference } from "./differences.ts"
import { countLimitAgain, LIMIT_USAGE } from "./limits.ts"
import { TIMEOUT_MS } from "./periods.ts"
import { dayOf, inDays, inHours, NO_KEY } from "./sql.ts"
import { addDays } from "./work.ts"

/** A rollup that was computed again from the requests, for one day or week. */
export interface Repair {
  readonly table: string
  /** A day (UTC), or the Monday of a week. */
  readonly day: string
  /** A metadata name, or the name of a limit. */
  readonly name: string | null
  readonly counters: readonly string[]
}

/**
 * Computes the rollups that differ again, one table and one day at a time. Writers wait while a day is read. Rollups of
 * days that were pruned stay as they are, because nothing else knows their numbers.
 */
export async function repairRollups(
  db: Database,
  differences: readonly Difference[],
  onProgress: OnProgress = () => {},
): Promise<readonly Repair[]> {
  const repairs = toRepairs(differences)
  for (const [done, repair] of repairs.entries()) {
    onProgress(done, repairs.length)
    await db.transaction((query) => repairOne(query, repair))
  }
  onProgress(repairs.length, repairs.length)
  return repairs
}

/** Requests come first, and weeks last, because each is the sum of what is before it. */
const ORDER = [
  "llm_requests",
  "llm_usage_hourly",
  "llm_usage_hourly_keys",
  "llm_usage_daily",
  "llm_usage_metadata",
  "llm_usage_metadata_values",
  "llm_usage_metadata_weekly",
  RUN_ROLLUP,
  LIMIT_USAGE,
]

function toRepairs(differences: readonly Difference[]): readonly Repair[] {
  const repairs = new Map<string, Repair>()
  for (const { table, day, name, counters, isPruned } of differences) {
    if (isPruned) continue
    const id = `${ORDER.indexOf(table)} ${day} ${name ?? ""}`
    const known = repairs.get(id)?.counters ?? []
    repairs.set(id, { table, day, name, counters: [...new Set([...known, ...counters])] })
  }
  return [...repairs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, repair]) => repair)
}

async function repairOne(query: RunQuery, { table, day, name }: Repair): Promise<void> {
  const run = (text: string, values: readonly unknown[]) => query({ text, values, timeoutMs: TIMEOUT_MS })
  const range = [day, addDays(day, 1)]
  if (table === "llm_usage_metadata_weekly") await run(FOLD_AGAIN, [day, name])
  else if (name !== null && table !== LIMIT_USAGE) await run("SELECT majordomo_count_name($1, $2::date)", [name, day])
  else {
    // No request may come between DELETE and INSERT. This is the order in which a batch takes the same locks.
    await run("LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE", [])
    await run("SELECT pg_advisory_xact_lock(7680, 2)", [])
    if (table === LIMIT_USAGE) return countLimitAgain(query, name!)
    const { rowCount } = await run(IS_PRUNED, [day])
    if (rowCount > 0) return
    for (const statement of table === "llm_requests" ? REMOVE_NAN : RECOUNT[table]!) await run(statement, range)
  }
}

const FOLD_AGAIN = "SELECT majordomo_fold_again($1::date, $1::date + 7, $2)"
const IS_PRUNED = "SELECT FROM majordomo_schema WHERE pruned_before > $1::date::timestamp AT TIME ZONE 'UTC'"

const KEY = `coalesce(majordomo_api_key_id, ${NO_KEY})`
const HOUR = "date_trunc('hour', created_at, 'UTC')"
const MODEL = "left(provider, 255), left(model, 255)"
const RECOUNT: Readonly<Record<string, readonly string[]>> = createTable({
  llm_usage_hourly: toRecount("llm_usage_hourly", "hour, provider, model", `${HOUR}, ${MODEL}`, inHours("hour")),
  llm_usage_hourly_keys: toRecount(
    "llm_usage_hourly_keys",
    "hour, majordomo_api_key_id",
    `${HOUR}, ${KEY}`,
    inHours("hour"),
  ),
  llm_usage_daily: toRecount(
    "llm_usage_daily",
    "day, majordomo_api_key_id, provider, model",
    `${dayOf("created_at")}, ${KEY}, ${MODEL}`,
    inDays("day"),
  ),
  [RUN_ROLLUP]: [
    "SELECT majordomo_count_runs($1::date::timestamp AT TIME ZONE 'UTC', $2::date::timestamp AT TIME ZONE 'UTC')",
  ],
})

function toRecount(table: string, key: string, expressions: string, range: string): readonly string[] {
  const positions = key.split(",").map((_, i) => i + 1)
  return [
    `DELETE FROM ${table} WHERE ${range}`,
    `INSERT INTO ${table} (${key}, ${COUNTERS.map((counter) => counter.name).join(", ")})
      SELECT ${expressions}, ${COUNTERS.map(toCounted).join(", ")} FROM llm_requests
      WHERE ${inHours("created_at")} AND outcome <> 'gap' GROUP BY ${positions.join(", ")}`,
  ]
}

/** NaN is no cost: the cost is not known. The rollups are computed again afterwards, so triggers need not follow. */
const REMOVE_NAN = [
  "SELECT set_config('majordomo.same_sums', 'on', true), $1::text, $2::text",
  `WITH changed AS (
    UPDATE llm_requests r SET input_cost = NULL, output_cost = NULL, total_cost = NULL, cost_status = 'unpriced'
    FROM (SELECT id, input_cost, output_cost, total_cost, cost_status, price FROM llm_requests_full
      WHERE ${inHours("created_at")} AND 'NaN' IN (input_cost, output_cost, total_cost)) AS old
    WHERE r.id = old.id
    RETURNING old.*
  )
  INSERT INTO llm_request_repricings (request_id, reason, old_input_cost, old_output_cost, old_total_cost, old_cost_status, old_price,
    new_cost_status, new_price)
  SELECT id, 'verify --repair: the cost was not a number', input_cost, output_cost, total_cost, cost_status, price, 'unpriced', price
  FROM changed`,
]
