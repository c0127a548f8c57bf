import { join } from "node:path"
import { expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { status } from "../../src/api/routes/status.ts"
import type { Database } from "../../src/database/_database.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"

const AWAY = { query: () => Promise.reject(new Error("the database is away")) } as unknown as Database

test("status counts the rows of the data directory over its life, as its journals stored them", async () => {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  await db.query(`CREATE FUNCTION reject_bad() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.model = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER reject_bad BEFORE INSERT ON llm_requests FOR EACH ROW EXECUTE FUNCTION reject_bad()`)
  const dataDir = await makeDirectory()
  const env = { DATABASE_URL: url, MAJORDOMO_STORAGE_DATA_DIR: dataDir, MAJORDOMO_PRICING_REMOTE_URL: "" }
  const { settings } = await loadSettings({ cwd: dataDir, env })
  const { signal } = new AbortController()
  const actor = { kind: "command", name: "root", role: "viewer", id: null, address: null } as const
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  const read = async () => {
    const { rows, problems } = await callLocally(status.get, caller, {})
    return { rows, problems }
  }

  const first = await openTestLedger(AWAY, join(dataDir, "journal", "1"), { timing: { lingerMs: 600_000 } })
  for (const model of ["good", "bad", "good"]) first.append(aRecord({ model }))
  await first.close()
  expect((await read()).rows).toEqual({ accepted: 3, written: 0, waiting: 3, rejected: 0, dropped: 0 })

  const second = await openTestLedger(db, join(dataDir, "journal", "1"))
  second.append(aRecord())
  await second.drain(60_000)
  await second.close()
  expect(await read()).toEqual({
    rows: { accepted: 4, written: 3, waiting: 0, rejected: 1, dropped: 0 },
    problems: ["1 row was rejected by the database: see rejected.jsonl in the journal"],
  })
})

test("status says what needs attention and what to do, and notices are no problems", async () => {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  await db.query(`INSERT INTO majordomo_gateways (id, heard, name, slot, offline_s, seen_at) VALUES
    ('01a22837-a560-7000-8000-000000000001', 0, 'host-a, process 7, version 9.9.9', 'host-a:/data/journal/1', 3600, now()),
    ('01a22837-a560-7000-8000-000000000002', 0, 'host-b, process 8', 'host-b:/data/journal/1', 3600, now() - interval '1 min')`)
  await db.query(`INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
      input_tokens, output_tokens, cost_status, usage_source, status_code, outcome, created_at)
    VALUES (gen_random_uuid(), 'openai', 'mystery', '/', 'POST', now(), now(), 1, 1, 1, 'unpriced', 'reported', 200, 'complete', now())`)
  const dataDir = await makeDirectory()
  const env = { DATABASE_URL: url, MAJORDOMO_STORAGE_DATA_DIR: dataDir, MAJORDOMO_PRICING_REMOTE_URL: "" }
  const { settings } = await loadSettings({ cwd: dataDir, env })
  const { signal } = new AbortController()
  const actor = { kind: "command", name: "root", role: "viewer", id: null, address: null } as const
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  const found = await callLocally(status.get, caller, {})
  expect(found.attention).toEqual([
    { level: "problem", message: "the gateway host-b, process 8 has not been seen lately", fix: expect.any(String) },
    {
      level: "notice",
      message: "1 request has no known price in the last 30 days (mystery)",
      fix: expect.stringContaining("majordomo-gateway pricing reprice --since 30d"),
    },
  ])
  expect(found.problems).toHaveLength(1)
  expect(found.gateways[0]).toMatchObject({
    version: "9.9.9",
    started_at: expect.any(String),
    directory: "host-a:/data",
  })
  expect(found.database).toMatchObject({ kind: "postgres", bytes: expect.any(Number), schema: { state: "current" } })
  expect(found.database.address).not.toContain("password")
})
