interface Client {
  query(text: string, values: unknown[]): Promise<unknown>
}

/** Returns the same numbers for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface RandomUsage {
  readonly rows: number
  readonly since: string
  readonly until: string
  readonly keys: readonly string[]
  readonly seed: number
}

/** Inserts requests of every kind at random times: without price, key or metadata, errors, gaps, and costs of any size, and logins of subscriptions. */
export async function insertRandomUsage(client: Client, { rows, since, until, keys, seed }: RandomUsage) {
  const random = createRandom(seed)
  const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!
  const from = Date.parse(since)
  const records = Array.from({ length: rows }, () => {
    // A third of the times are exactly at the start of an hour or next to it.
    const at = from + random() * (Date.parse(until) - from)
    const moment = pick(at, at, Math.floor(at / 3_600_000) * 3_600_000 - pick(0, 1))
    const status = pick("exact", "exact", "exact", "estimated", "inconsistent", "free", "unpriced")
    const cost = status === "free" ? "0" : `${pick(0, 0, 3)}.${String(Math.floor(random() * 1e12)).padStart(12, "0")}`
    const billing = pick(null, null, null, "subscription")
    const metadata: Record<string, string> = {
      "User-Id": `u${Math.floor(random() * 20)}`,
      Feature: pick("chat", "search", "(none)"),
    }
    return {
      majordomo_api_key_id: pick(...keys, null),
      provider: pick("openai", "anthropic", "gemini"),
      model: pick("gpt-4o-mini", "claude", "gemini-flash", "", `${"long".repeat(70)}${pick("a", "b")}`),
      requested_at: new Date(moment - 500).toISOString(),
      created_at: new Date(moment).toISOString(),
      // From 0 ms to ten minutes; the short ones are as frequent as the long ones.
      response_time_ms: Math.floor(600_000 ** random()) - 1,
      input_tokens: Math.floor(random() * 100_000),
      cached_tokens: Math.floor(random() * 1000),
      cache_creation_tokens: Math.floor(random() * 100),
      output_tokens: Math.floor(random() * 5000),
      // The 0 is that of the Go gateway, which knew no subscriptions.
      total_cost: status === "unpriced" ? (billing === null ? pick(null, null, "0") : null) : cost,
      billing,
      cost_status: status,
      status_code: pick(200, 200, 200, 429, 500),
      outcome: pick(
        "complete",
        "complete",
        "complete",
        "client_left",
        "upstream_broke",
        "gateway_died",
        "shutdown",
        "gap",
      ),
      raw_metadata: pick(metadata, metadata, { Feature: metadata["Feature"]! }, null),
    }
  })
  await client.query(
    `INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at, created_at,
       response_time_ms, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, total_cost, billing, cost_status, status_code, outcome, raw_metadata)
     SELECT majordomo_api_key_id, provider, model, '/', 'POST', requested_at, created_at, created_at,
       response_time_ms, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, total_cost, billing, cost_status, status_code, outcome, raw_metadata
     FROM json_to_recordset($1::json) AS r (majordomo_api_key_id uuid, provider text, model text, requested_at timestamptz,
       created_at timestamptz, response_time_ms int, input_tokens bigint, cached_tokens bigint, cache_creation_tokens bigint,
       output_tokens bigint, total_cost numeric, billing text, cost_status text, status_code int, outcome text, raw_metadata jsonb)`,
    [JSON.stringify(records)],
  )
}
