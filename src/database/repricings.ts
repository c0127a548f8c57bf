import type { Database, RunQuery } from "./_database.ts"
import { retryDeadlocks } from "./locks.ts"

/** The columns of a request on which its price depends. Money is decimal text. */
export interface RepriceableRow {
  readonly id: string
  /** `created_at` as text of the database, because a Date has no microseconds. */
  readonly ended_at: string
  readonly requested_at: Date
  readonly provider: string
  readonly model: string
  readonly requested_model: string | null
  readonly request_path: string
  readonly request_method: string
  readonly status_code: number
  readonly input_tokens: string
  readonly cached_tokens: string
  readonly cache_creation_tokens: string
  readonly cache_creation_1h_tokens: string
  readonly output_tokens: string
  readonly reasoning_tokens: string
  readonly usage: unknown
  readonly usage_source: "reported" | "estimated" | "none"
  readonly cost_status: string
  readonly input_cost: string | null
  readonly output_cost: string | null
  readonly total_cost: string | null
  readonly billing: string | null
  readonly price: unknown
  /** The discount that the key of the request has now, in percent; NULL: none, or the key is not known. */
  readonly key_discount_percent: string | null
  /** The API dialect by which the answer was metered. NULL in rows of earlier versions. */
  readonly dialect: string | null
  /** NULL: a gateway relayed the request. Otherwise `usage` is a client's report or an imported record, and not the provider's own object. */
  readonly source: string | null
}

export interface RepriceFilter {
  /** Requests that ended at or after this time, in ms since the epoch. */
  readonly since: number
  readonly until: number | undefined
  /** The name of a model, or its beginning followed by `*`. */
  readonly model: string | undefined
  readonly provider: string | undefined
  /** Only requests that have no price. */
  readonly unpricedOnly: boolean
  /** The id or the name of an API key. */
  readonly key?: string | undefined
  /** The value of each metadata name, with names as they are stored. A value may end in `*`. */
  readonly where?: Readonly<Record<string, string>> | undefined
}

export interface Repricing {
  readonly id: string
  /** The row as it was read. If it has changed since, it keeps its present cost. */
  readonly old_cost_status: string
  readonly old_total_cost: string | null
  readonly input_cost: string | undefined
  readonly output_cost: string | undefined
  readonly total_cost: string | undefined
  readonly cost_status: string
  readonly price: unknown
  readonly reason: string
}

const COLUMNS = `id, created_at::text AS ended_at, requested_at, provider, model, requested_model, request_path, request_method, status_code,
  input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens, reasoning_tokens,
  usage, usage_source, billing, cost_status, input_cost, output_cost, total_cost, price, dialect, source,
  (SELECT trim_scale(discount_percent) FROM api_keys k WHERE k.id = majordomo_api_key_id) AS key_discount_percent`

/** Returns the next requests in the order of time. `after` is the last row of the previous page. Gaps and killed requests have no usage, so they are left out. */
export async function readRepriceable(
  db: Database,
  filter: RepriceFilter,
  page: { readonly after: Pick<RepriceableRow, "ended_at" | "id"> | undefined; readonly limit: number },
): Promise<readonly RepriceableRow[]> {
  const values: unknown[] = []
  const bind = (value: unknown) => `$${values.push(value)}`
  const { since, until, model, provider, unpricedOnly, key, where = {} } = filter
  const conditions = [`created_at >= ${bind(new Date(since).toISOString())}::timestamptz`]
  if (until !== undefined) conditions.push(`created_at < ${bind(new Date(until).toISOString())}::timestamptz`)
  if (provider !== undefined) conditions.push(`provider = ${bind(provider.toLowerCase())}::text`)
  if (model?.endsWith("*")) conditions.push(`starts_with(model, ${bind(model.slice(0, -1))}::text)`)
  else if (model !== undefined) conditions.push(`model = ${bind(model)}::text`)
  if (unpricedOnly) conditions.push("cost_status = 'unpriced'")
  if (key !== undefined) {
    const named = `(SELECT k.id FROM api_keys k WHERE ${bind(key)}::text IN (k.name, k.id::text))`
    conditions.push(`majordomo_api_key_id IN ${named}`)
  }
  for (const [name, value] of Object.entries(where)) {
    const stored = `(raw_metadata ->> ${bind(name)}::text)`
    if (value.endsWith("*")) conditions.push(`starts_with(${stored}, ${bind(value.slice(0, -1))}::text)`)
    else conditions.push(`${stored} = ${bind(value)}::text`)
  }
  if (page.after !== undefined) {
    conditions.push(`(created_at, id) > (${bind(page.after.ended_at)}::timestamptz, ${bind(page.after.id)}::uuid)`)
  }
  const { rows } = await db.query<RepriceableRow>({
    text: `SELECT ${COLUMNS} FROM llm_requests_full WHERE ${conditions.join(" AND ")} AND outcome NOT IN ('gap', 'gateway_died', 'rejected')
      ORDER BY created_at, id LIMIT ${bind(page.limit)}`,
    values,
  })
  return rows
}

/**
 * Updates the costs of requests and stores the old ones in llm_request_repricings, in one statement. Triggers of the
 * database update the rollups. Returns the ids of the requests that changed: others were pruned or changed meanwhile.
 * @param also what belongs to the same transaction, if a request changes
 */
export async function applyRepricings(
  db: Database,
  repricings: readonly Repricing[],
  also?: (query: RunQuery) => Promise<void>,
): Promise<ReadonlySet<string>> {
  const statement = { text: APPLY, values: [JSON.stringify(repricings)] }
  const apply = async (query: RunQuery) => (await query<{ id: string }>(statement)).rows
  const rows = await retryDeadlocks(() =>
    also === undefined
      ? apply(db.query)
      : db.transaction(async (query) => {
          const changed = await apply(query)
          if (changed.length > 0) await also(query)
          return changed
        }),
  )
  return new Set(rows.map(({ id }) => id))
}

/** Deletes the repricings of requests that were pruned, in chunks. */
export async function pruneRepricings(db: Database): Promise<void> {
  for (let after: readonly string[] = [NO_ID, "-infinity"]; ; ) {
    const { rows } = await db.query<{ id: string; at: string }>({
      text: PRUNE_CHUNK,
      values: after,
      timeoutMs: PRUNE_TIMEOUT_MS,
    })
    if (rows[0] === undefined) return
    after = [rows[0].id, rows[0].at]
  }
}

const NO_ID = "00000000-0000-0000-0000-000000000000"
const PRUNE_TIMEOUT_MS = 10 * 60_000

/** Looks at the next repricings, and returns the last one of them. */
const PRUNE_CHUNK = `WITH looked AS (
  SELECT request_id, repriced_at FROM llm_request_repricings WHERE (request_id, repriced_at) > ($1::uuid, $2::timestamptz)
  ORDER BY request_id, repriced_at LIMIT 10000
), pruned AS (
  DELETE FROM llm_request_repricings p USING looked l WHERE (p.request_id, p.repriced_at) = (l.request_id, l.repriced_at)
    AND NOT EXISTS (SELECT FROM llm_requests r WHERE r.id = l.request_id)
)
SELECT request_id AS id, repriced_at::text AS at FROM looked ORDER BY request_id DESC, repriced_at DESC LIMIT 1`

// FOR UPDATE reads a locked row again when its lock is released, so two runs at once reprice and record a row once.
const APPLY = `WITH given AS (
  SELECT * FROM json_to_recordset($1::json) AS g(id uuid, old_cost_status text, old_total_cost numeric, input_cost numeric,
    output_cost numeric, total_cost numeric, cost_status text, price jsonb, reason text)
), old AS (
  SELECT r.id, r.input_cost, r.output_cost, r.total_cost, r.cost_status FROM llm_requests r JOIN given g ON r.id = g.id
  WHERE r.cost_status = g.old_cost_status AND r.total_cost IS NOT DISTINCT FROM g.old_total_cost
  ORDER BY r.id FOR UPDATE OF r
), whole AS (
  SELECT o.*, f.price, f.usage FROM old o JOIN llm_requests_full f ON f.id = o.id
), kept AS (
  INSERT INTO llm_request_repricings (request_id, reason, old_input_cost, old_output_cost, old_total_cost, old_cost_status, old_price,
    new_input_cost, new_output_cost, new_total_cost, new_cost_status, new_price)
  SELECT o.id, g.reason, o.input_cost, o.output_cost, o.total_cost, o.cost_status, o.price,
    g.input_cost, g.output_cost, g.total_cost, g.cost_status, g.price FROM whole o JOIN given g ON g.id = o.id
  RETURNING request_id
)
UPDATE llm_requests r SET input_cost = g.input_cost, output_cost = g.output_cost, total_cost = g.total_cost,
  cost_status = g.cost_status, price = g.price, usage = o.usage, card = NULL, card_values = NULL
FROM given g JOIN kept k ON k.request_id = g.id JOIN whole o ON o.id = g.id WHERE r.id = g.id RETURNING r.id`
