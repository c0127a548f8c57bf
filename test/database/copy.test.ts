import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { copyDatabase } from "../../src/database/copy.ts"
import { createKey, revokeKey } from "../../src/database/keys.ts"
import { insertLimit } from "../../src/database/limits.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createPriceHistoryStore } from "../../src/database/price-history.ts"
import { insertProviderKey, markRemoved, replaceSecret } from "../../src/database/provider-keys.ts"
import { prune } from "../../src/database/prune.ts"
import { migrate } from "../../src/database/schema.ts"
import { fillDemo } from "../../src/server/demo.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { NO_POSTGRES, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"

const TABLES = [
  "llm_requests ORDER BY id",
  "api_keys ORDER BY id",
  "provider_api_keys ORDER BY id",
  "llm_requests_metadata_keys ORDER BY majordomo_api_key_id, key_name",
  "llm_request_repricings ORDER BY request_id, repriced_at",
  "llm_usage_hourly ORDER BY hour, provider, model",
  "llm_usage_hourly_keys ORDER BY hour, majordomo_api_key_id",
  "llm_usage_daily ORDER BY day, majordomo_api_key_id, provider, model",
  "llm_usage_metadata ORDER BY name, day, value",
  "llm_usage_metadata_weekly ORDER BY name, week, value",
  "llm_usage_metadata_values ORDER BY name, day",
  "llm_usage_metadata_names ORDER BY name",
  "majordomo_admin_tokens ORDER BY id",
  "llm_audit ORDER BY id",
  "majordomo_price_overrides ORDER BY model",
  "llm_reconciliations ORDER BY provider, account, day",
  "llm_bill_lines ORDER BY provider, account, day, line",
  "majordomo_notifications ORDER BY id",
  "majordomo_deliveries ORDER BY id",
  "majordomo_notification_runs ORDER BY name",
  "llm_limits ORDER BY id",
  "llm_limit_usage ORDER BY limit_id, value, window_start",
  "(SELECT source, provider, model, valid_from, seen_at, prices FROM llm_price_history) AS h ORDER BY model, valid_from",
]

const DAYS = "llm_archive_days ORDER BY day"
const LATE = "llm_archive_late ORDER BY id"

const PROVIDER_KEY = {
  id: "0190e2a0-0000-7000-8000-000000000001",
  provider: "openai",
  alias: "team-a",
  kind: "key",
  ciphertext: Buffer.from("encrypted"),
  nonce: Buffer.from("nonce"),
  keyId: "0123abcd",
  lastFour: "wxyz",
  isDefault: true,
  createdBy: "root",
}

describe("migrate --to copies the embedded database into a PostgreSQL", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "mdm-data-"))
  let source: Database
  let target: Database

  beforeAll(async () => {
    source = await openDatabase(
      { driver: "embedded", dataDir, postgres: NO_POSTGRES },
      { role: "serve", log: () => {} },
    )
    await migrate(source)
    await fillDemo(source, (await loadSettings({ cwd: dataDir, env: {} })).settings)
    const { id } = await insertProviderKey(source.query, PROVIDER_KEY)
    const { key } = await createKey(source, { name: "Old", discount: "7.5", bindings: { openai: id } })
    await revokeKey(source, key.id)
    const seen = { source: "litellm", provider: "openai", model: "gpt-4o", prices: { input_mtok: 2.5 } }
    const times = [1, 2].map((day) => Date.parse(`2026-11-0${day}`))
    await createPriceHistoryStore(source).add([
      { ...seen, from: times[0]!, seenAt: times[0]! },
      { ...seen, from: times[1]!, seenAt: times[1]!, prices: null },
    ])
    await source.query(
      "UPDATE llm_requests_metadata_keys SET is_active = true, activated_at = now() WHERE key_name = 'Feature'",
    )
    await source.query("SELECT majordomo_count_again()")
    await source.query(
      `INSERT INTO majordomo_admin_tokens (name, role, token_hash, created_by) VALUES ('t', 'viewer', 'h', 'root')`,
    )
    await source.query(
      `INSERT INTO majordomo_price_overrides (model, rates, set_by) VALUES ('house', '{"input": "1.50"}', 'root')`,
    )
    await source.query(`INSERT INTO llm_reconciliations
      VALUES ('x', 'a', '2026-11-01', 1.50, 1.25, false, '[{"amount": "0.25"}]', '[]', 'api', now())`)
    await source.query(`INSERT INTO llm_bill_lines (provider, day, line, bucket, cost, imported_at)
      VALUES ('x', '2026-11-01', 0, 'all', 1.50, now()), ('x', '2026-11-01', 1, 'tax', 0.10, now())`)
    await source.query(`INSERT INTO majordomo_notifications (id, identity, kind, subject, period, severity, found_at, facts)
      VALUES ('${PROVIDER_KEY.id}', 'i', 'new_key', 'k', '', 'info', now(), '{"name": "k"}')`)
    await source.query(`INSERT INTO majordomo_deliveries (id, notification_id, channel, state, sent_at)
      VALUES (gen_random_uuid(), '${PROVIDER_KEY.id}', 'ops', 'sent', now())`)
    await source.query("INSERT INTO majordomo_notification_runs VALUES ('anomalies', now(), now())")
    await insertLimit(source.query, { name: "all", measure: "cost", amount: "5", window: "total" })
    await insertLimit(source.query, { name: "users", measure: "tokens", amount: "5", window: "month", per: "User-Id" })
    await source.query("UPDATE llm_limit_usage SET notified = 50")
    await source.query(`INSERT INTO llm_audit (id, actor_kind, actor_name, action, after)
      SELECT gen_random_uuid(), 'command', 'root', 'prune', '{"cost": 1.50}' FROM generate_series(1, 1001)`)
    const { url } = await createTestDatabase({ empty: true })
    target = await openDatabase(postgresAt(url), { role: "command", log: () => {} })
  })
  afterAll(async () => {
    await target?.close()
    await source?.close()
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  })

  test("an empty database gets equal rows, keys, names and rollups, digit by digit", async () => {
    const seen: number[] = []
    const copied = await copyDatabase(source, target, (done) => seen.push(done))
    expect(copied.requests).toBeGreaterThan(1_000)
    expect(copied).toMatchObject({ added: copied.requests, keys: 6, repricings: 0, sumsLeftOut: undefined })
    expect(seen[0]).toBe(0)
    expect(seen.at(-1)).toBe(copied.requests)
    await expectEqual()
  })

  test("a repetition adds nothing and counts nothing twice", async () => {
    const again = await copyDatabase(source, target)
    expect(again.added).toBe(0)
    await expectEqual()
  })

  test("a repetition adds new rows, revokes keys that were revoked since, and updates repriced rows", async () => {
    const { rows } = await source.query<{ id: string; key: string }>(
      "SELECT id, majordomo_api_key_id AS key FROM llm_requests WHERE total_cost > 0 ORDER BY id LIMIT 1",
    )
    const { id, key } = rows[0]!
    await source.query({ text: "UPDATE llm_requests SET total_cost = 12.000000000001 WHERE id = $1", values: [id] })
    await source.query({
      text: `INSERT INTO llm_request_repricings (request_id, reason, old_cost_status, new_total_cost, new_cost_status)
        VALUES ($1, 'test', 'exact', 12.000000000001, 'exact')`,
      values: [id],
    })
    await source.query({
      text: `INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, raw_metadata, request_body)
        VALUES ($1, 'openai', 'm', '/v1/x', 'POST', now(), now(), 1, 200, '{"Feature":"new","Ünï":"\\"\\\\"}', E'a\\tb\\u2028 "')`,
      values: [key],
    })
    await revokeKey(source, key)
    const secret = { ciphertext: Buffer.from("rotated"), nonce: Buffer.from("other"), keyId: "0123abcd" }
    await replaceSecret(source.query, PROVIDER_KEY.id, secret, { kind: "key", lastFour: "1234" })
    expect(await copyDatabase(source, target)).toMatchObject({ added: 1, repricings: 1 })
    await expectEqual()
    await markRemoved(source.query, PROVIDER_KEY.id)
  })

  test("totals of pruned days are copied, whether their rows were copied before or not", async () => {
    const olderThan = Date.now() - 20 * 86_400_000
    await prune(source, { olderThan, bodiesOnly: false })
    const { url } = await createTestDatabase()
    const fresh = await openDatabase(postgresAt(url), { role: "command", log: () => {} })
    try {
      expect((await copyDatabase(source, fresh)).sumsLeftOut).toBeUndefined()
      await expectEqual(fresh)
      await copyDatabase(source, fresh)
      await expectEqual(fresh)
    } finally {
      await fresh.close()
    }
    await copyDatabase(source, target)
    // The target keeps its copies of the pruned requests, and of their earlier costs.
    await expectEqual(
      target,
      TABLES.filter((table) => !/^llm_requests|^llm_request_repricings/.test(table)),
    )
  })

  test("the target goes on with the archive, but for days of which it has other requests", async () => {
    const days = await source.query<{ day: string }>(`INSERT INTO llm_archive_days (day, status, place, rows)
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, 'verified', 's3://archive', count(*) FROM llm_requests
      GROUP BY 1 ORDER BY 1 LIMIT 3 RETURNING day::text`)
    const [first, second] = days.rows.map(({ day }) => day)
    await source.query({
      text: `INSERT INTO llm_archive_late (id, day) SELECT id, $1 FROM llm_requests
        WHERE (created_at AT TIME ZONE 'UTC')::date = $1 LIMIT 2`,
      values: [first],
    })
    const { url } = await createTestDatabase()
    const fresh = await openDatabase(postgresAt(url), { role: "command", log: () => {} })
    try {
      await copyDatabase(source, fresh)
      expect(await read(fresh, DAYS)).toEqual(await read(source, DAYS))
      await fresh.query({
        text: `UPDATE llm_requests SET created_at = created_at + interval '1 day' WHERE id =
          (SELECT id FROM llm_requests WHERE (created_at AT TIME ZONE 'UTC')::date = $1 LIMIT 1)`,
        values: [second],
      })
      const [, changed, added] = await read(fresh, DAYS)
      await copyDatabase(source, fresh)
      expect(await read(fresh, DAYS)).toEqual([(await read(source, DAYS))[0], changed, added])
      expect(changed).toContain('"status": "changed"')
      expect(await read(fresh, LATE)).toEqual(expect.arrayContaining([...(await read(source, LATE))]))
      const id = "SELECT archive_id FROM majordomo_schema"
      expect((await fresh.query(id)).rows).toEqual((await source.query(id)).rows)
    } finally {
      await fresh.close()
    }
  })

  async function expectEqual(other: Database = target, tables: readonly string[] = TABLES): Promise<void> {
    for (const table of tables) {
      const [wanted, found] = [await read(source, table), await read(other, table)]
      const at = wanted.findIndex((row, index) => row !== found[index])
      expect(found[at], `${table}, row ${at}`).toBe(wanted[at])
      expect(found.length, table).toBe(wanted.length)
    }
  }

  /**
   * Reads rows as jsonb, which has one spelling for each value whatever the order of columns. It leaves out
   * indexed_metadata: rows from before a name became active do not have it, and get it when they are copied.
   */
  async function read(database: Database, table: string): Promise<readonly string[]> {
    const text = `SELECT (to_jsonb(t) - 'indexed_metadata' - 'changed_at')::text AS row FROM (SELECT * FROM ${table}) AS t`
    const { rows } = await database.query<{ row: string }>({ text, timeoutMs: 60_000 })
    return rows.map(({ row }) => row)
  }
})
