import type { Database } from "./_database.ts"

/** One percentage of `notify_at` that a limit has passed. */
interface Notice {
  /** The id of the limit. */
  readonly limit: string
  readonly value: string
  /** The window, in ms since the epoch. */
  readonly windowStart: number
  readonly percent: number
}

/**
 * Returns whether this process is the one that announces it: exactly one of all gateways gets `true`, once for each
 * percentage and window.
 */
export async function claimNotice(
  db: Pick<Database, "query">,
  { limit, value, windowStart, percent }: Notice,
): Promise<boolean> {
  const { rowCount } = await db.query({
    text: `UPDATE llm_limit_usage SET notified = $4
      WHERE limit_id = $1 AND value = $2 AND window_start = to_timestamp($3::float8 / 1000) AND notified < $4`,
    values: [limit, value, windowStart, percent],
    timeoutMs: 5_000,
  })
  return rowCount === 1
}

/** How long one answer was. */
interface AnswerSize {
  readonly keyId: string
  readonly model: string
  readonly requestedModel: string
  readonly outputTokens: number
}

/** Returns the sizes of the latest complete answers, the oldest first. */
export async function readAnswerSizes(db: Pick<Database, "query">, limit: number): Promise<readonly AnswerSize[]> {
  const { rows } = await db.query<AnswerSize>({
    text: `SELECT majordomo_api_key_id::text AS "keyId", model, coalesce(requested_model, model) AS "requestedModel",
        output_tokens AS "outputTokens"
      FROM llm_requests
      WHERE created_at > now() - interval '7 days' AND outcome = 'complete' AND status_code < 400 AND output_tokens > 0
        AND majordomo_api_key_id IS NOT NULL
      ORDER BY created_at DESC LIMIT $1`,
    values: [limit],
  })
  return rows.reverse()
}
