import { expect } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { type VerifyResult, verifyLedger } from "../../src/database/verify.ts"
import { makeDirectory } from "./_ledger.ts"

export const KEY = "a0000000-0000-4000-8000-000000000001"

/**
 * Inserts requests number `first` to `last`, one every four hours from `since` on. Each counter is above 0 in some of them;
 * they have two metadata names, with few and with many values.
 */
export async function insertRequests(db: Database, since: string, first: number, last: number): Promise<void> {
  await db.query(`
    INSERT INTO api_keys (id, key_hash, name) VALUES ('${KEY}', 'hash', 'Development') ON CONFLICT DO NOTHING;
    INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
      response_time_ms, status_code, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, cost_status, usage_source, raw_metadata, created_at)
    SELECT ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, CASE WHEN n % 3 > 0 THEN '${KEY}'::uuid END,
      CASE WHEN n % 5 > 0 THEN 'openai' ELSE 'anthropic' END, 'm' || n % 2, '/v1/chat/completions', 'POST', at, at, n,
      CASE WHEN n % 7 = 0 THEN 500 ELSE 200 END, n * 10, n * 3, n * 2, n, n * 5, n * 4, n * 0.000000000001, n * 0.000000000002,
      CASE WHEN n % 5 <> 2 THEN n * 0.000000000003 END,
      (ARRAY['exact', 'estimated', 'unpriced', 'free', 'inconsistent'])[1 + n % 5], 'reported',
      jsonb_build_object('Feature', 'f' || n % 2, 'User-Id', 'u' || n), at
    FROM (SELECT n, '${since}'::timestamptz + make_interval(hours => n * 4) AS at FROM generate_series(${first}, ${last}) n) rows
    ON CONFLICT (id) DO NOTHING`)
}

export async function verifyDatabase(db: Database, options: { readonly all?: boolean } = {}): Promise<VerifyResult> {
  return verifyLedger(db, await makeDirectory(), options)
}

/** Expects that no rollup differs, both where something has changed and everywhere. */
export async function expectBalance(db: Database): Promise<void> {
  expect((await verifyDatabase(db)).differences).toEqual([])
  expect((await verifyDatabase(db, { all: true })).differences).toEqual([])
}
