import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

const ROLLUPS = [
  { table: "llm_usage_hourly", key: ["hour", "provider", "model"], counter: "requests", before: "$1::timestamptz" },
  {
    table: "llm_usage_hourly_keys",
    key: ["hour", "majordomo_api_key_id"],
    counter: "requests",
    before: "$1::timestamptz",
  },
  {
    table: "llm_usage_daily",
    key: ["day", "majordomo_api_key_id", "provider", "model"],
    counter: "requests",
    before: "($1::timestamptz AT TIME ZONE 'UTC')::date",
  },
  {
    table: "llm_usage_metadata",
    key: ["name", "day", "value"],
    counter: "requests",
    before: "($1::timestamptz AT TIME ZONE 'UTC')::date",
  },
  {
    table: "llm_usage_metadata_values",
    key: ["name", "day"],
    counter: "distinct_values",
    before: "($1::timestamptz AT TIME ZONE 'UTC')::date",
  },
] as const

/**
 * Copies the totals of days whose requests were pruned. A total of the source replaces one of the target that counts less.
 * Returns the reason if it copied none: when the target has requests of other keys on those days, both cannot be merged.
 */
export async function copyPrunedRollups(source: Database, target: Database): Promise<string | undefined> {
  const { rows } = await source.query<{ before: string | null }>(
    "SELECT pruned_before::text AS before FROM majordomo_schema",
  )
  const before = rows[0]?.before
  if (!before) return undefined
  const keys = (await source.query<{ id: string }>("SELECT id FROM api_keys")).rows.map(({ id }) => id)
  const others = await target.query({
    text: `SELECT FROM llm_usage_daily WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date
      AND majordomo_api_key_id <> ALL($2::uuid[]) AND majordomo_api_key_id <> '00000000-0000-0000-0000-000000000000' LIMIT 1`,
    values: [before, keys],
  })
  if (others.rowCount > 0) return `the target has requests of other keys before ${before.slice(0, 10)}`
  for (const { table, key, counter, before: bound } of ROLLUPS) {
    const columns = await listColumns(source, table)
    const all = columns.split(", ").map((column) => `${column} = excluded.${column}`)
    const [time] = key[0] === "name" ? [key[1]] : [key[0]]
    await write(
      target,
      `INSERT INTO ${table} AS t (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1::json)
        ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${all.join(", ")} WHERE excluded.${counter} > t.${counter}`,
      [await readAll(source, `SELECT ${columns} FROM ${table} WHERE ${time} < ${bound}`, [before])],
    )
  }
  await write(target, "SELECT majordomo_fold_again('-infinity')", [])
  const mark = "UPDATE majordomo_schema SET pruned_before = greatest(pruned_before, $1::timestamptz)"
  await write(target, mark, [before])
  return undefined
}
