import type { Database } from "../_database.ts"
import { lockRollups } from "../locks.ts"
import { COPY_TIMEOUT_MS, listColumns, readAll, write } from "./tables.ts"

/**
 * Copies the limits and not their leases, after the requests, from which the target counts what they have used. A limit whose
 * id or name the target has stays as it is there.
 * @param withPruned copies what was used in windows whose requests were pruned, where it is more than the target has
 */
export async function copyLimits(source: Database, target: Database, withPruned: boolean): Promise<void> {
  const columns = await listColumns(source, "llm_limits")
  await write(
    target,
    `INSERT INTO llm_limits (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::llm_limits, $1::json)
      ON CONFLICT DO NOTHING`,
    [await readAll(source, `SELECT ${columns} FROM llm_limits`)],
  )
  const used = await readAll(source, "SELECT * FROM llm_limit_usage")
  await target.transaction(async (query) => {
    await lockRollups(query)
    await query({ text: TELL_NOTIFIED, values: [used], timeoutMs: COPY_TIMEOUT_MS })
    if (withPruned) await query({ text: KEEP_PRUNED, values: [used], timeoutMs: COPY_TIMEOUT_MS })
  })
}

const GIVEN = "json_populate_recordset(NULL::llm_limit_usage, $1::json) AS s"

/** What was notified is not notified again. */
const TELL_NOTIFIED = `UPDATE llm_limit_usage t SET notified = s.notified FROM ${GIVEN}
  WHERE (t.limit_id, t.value, t.window_start) = (s.limit_id, s.value, s.window_start) AND s.notified > t.notified`

const KEEP_PRUNED = `INSERT INTO llm_limit_usage AS t
  SELECT s.* FROM ${GIVEN} JOIN llm_limits l ON l.id = s.limit_id
  WHERE s.window_start < (SELECT pruned_before FROM majordomo_schema)
  ON CONFLICT (limit_id, value, window_start) DO UPDATE SET requests = excluded.requests, input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens, cost = excluded.cost WHERE excluded.requests > t.requests`
