import type { Database } from "../_database.ts"
import { COPY_TIMEOUT_MS, listColumns, readAll, write } from "./tables.ts"

const ROWS_AT_ONCE = 500

/**
 * Copies the history of `pricing reprice`. Requests that were copied before they were repriced get their new cost. Returns
 * the number of entries that the target did not have.
 */
export async function copyRepricings(source: Database, target: Database): Promise<number> {
  const columns = await listColumns(source, "llm_request_repricings")
  let added = 0
  let after: readonly [string, string] = ["00000000-0000-0000-0000-000000000000", "-infinity"]
  for (;;) {
    const { rows } = await source.query<{ batch: string; id: string | null; at: string | null }>({
      text: `SELECT json_agg(r)::text AS batch, (array_agg(r.request_id ORDER BY r.request_id DESC, r.repriced_at DESC))[1] AS id,
          (array_agg(r.repriced_at::text ORDER BY r.request_id DESC, r.repriced_at DESC))[1] AS at
        FROM (SELECT ${columns} FROM llm_request_repricings WHERE (request_id, repriced_at) > ($1::uuid, $2::timestamptz)
          ORDER BY request_id, repriced_at LIMIT ${ROWS_AT_ONCE}) AS r`,
      values: after,
      timeoutMs: COPY_TIMEOUT_MS,
    })
    const { batch, id, at } = rows[0]!
    if (id === null || at === null) return added
    const inserted = await target.query<{ request_id: string }>({
      text: `INSERT INTO llm_request_repricings (${columns})
        SELECT ${columns} FROM json_populate_recordset(NULL::llm_request_repricings, $1::json)
        ON CONFLICT DO NOTHING RETURNING request_id`,
      values: [batch],
      timeoutMs: COPY_TIMEOUT_MS,
    })
    added += inserted.rowCount
    await copyCosts(source, target, [...new Set(inserted.rows.map(({ request_id }) => request_id))])
    after = [id, at]
  }
}

async function copyCosts(source: Database, target: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const costs = "id, input_cost, output_cost, total_cost, cost_status, price, usage"
  await write(
    target,
    `UPDATE llm_requests r SET input_cost = s.input_cost, output_cost = s.output_cost, total_cost = s.total_cost,
        cost_status = s.cost_status, price = s.price, usage = s.usage, card = NULL, card_values = NULL
      FROM json_populate_recordset(NULL::llm_requests, $1::json) AS s JOIN llm_requests_full f ON f.id = s.id
      WHERE s.id = r.id AND (r.total_cost IS DISTINCT FROM s.total_cost OR f.price IS DISTINCT FROM s.price)`,
    [await readAll(source, `SELECT ${costs} FROM llm_requests_full WHERE id = ANY($1::uuid[])`, [ids])],
  )
}
