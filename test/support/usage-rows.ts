import type pg from "pg"

/** The part of a row that a report reads. The rest has default values. */
export interface RowSeed {
  readonly at?: string
  readonly key?: string
  readonly provider?: string
  readonly model?: string
  readonly input?: number
  readonly cached?: number
  readonly output?: number
  /** The total cost counts as input, unless `sides` divides it. */
  readonly cost?: string | null
  readonly sides?: readonly [input: string, output: string]
  readonly status?: string
  readonly code?: number
  readonly outcome?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly price?: unknown
  readonly id?: string
}

export async function insertKey(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query(
    "INSERT INTO api_keys (key_hash, name) VALUES (gen_random_uuid()::text, $1) RETURNING id",
    [name],
  )
  return rows[0].id
}

export async function insertRows(client: pg.Client, rows: readonly RowSeed[]): Promise<void> {
  for (const row of rows) {
    const at = row.at ?? new Date().toISOString()
    await client.query(
      `INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
         response_time_ms, input_tokens, cached_tokens, output_tokens, input_cost, output_cost, total_cost, cost_status,
         usage_source, status_code, outcome, raw_metadata, price, created_at)
       VALUES (coalesce($1::uuid, gen_random_uuid()), $2, $3, $4, '/v1/chat/completions', 'POST', $5, $5, 800, $6, $7, $8,
         $15, $16, $9, $10, 'reported', $11, $12, $13, $14, $5)`,
      [
        row.id ?? null,
        row.key ?? null,
        row.provider ?? "openai",
        row.model ?? "gpt-4o-mini",
        at,
        row.input ?? 0,
        row.cached ?? 0,
        row.output ?? 0,
        row.cost === undefined ? "0" : row.cost,
        row.status ?? "exact",
        row.code ?? 200,
        row.outcome ?? "complete",
        row.metadata === undefined ? null : JSON.stringify(row.metadata),
        row.price === undefined ? null : JSON.stringify(row.price),
        row.sides?.[0] ?? (row.cost === undefined ? "0" : row.cost),
        row.sides?.[1] ?? "0",
      ],
    )
  }
}
