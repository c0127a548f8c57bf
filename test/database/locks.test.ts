import { randomUUID } from "node:crypto"
import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { retryDeadlocks } from "../../src/database/locks.ts"
import { activateName, deactivateName } from "../../src/database/metadata.ts"
import { prune } from "../../src/database/prune.ts"
import { applyRepricings } from "../../src/database/repricings.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { waitForBlocked } from "./_blocked.ts"
import { connect } from "./_ledger.ts"

const NAME = { name: "User-Id", key: undefined }

interface Opened {
  /** Connections of their own, so that each statement can wait for another one. */
  readonly db: Database
  readonly other: Database
  readonly key: string
}

async function open(): Promise<Opened> {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  const { rows } = await db.query<{ id: string }>(
    "INSERT INTO api_keys (key_hash, name) VALUES ('h', 'k') RETURNING id",
  )
  return { db, other: await connect(url), key: rows[0]!.id }
}

async function add(
  db: Database,
  key: string | null,
  ids: readonly string[] = [randomUUID()],
  at = "2026-03-01T10:00:00Z",
): Promise<void> {
  await db.query({
    text: `INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at,
        responded_at, created_at, response_time_ms, status_code, total_cost, cost_status, raw_metadata)
      SELECT id, $2, 'openai', 'm', '/', 'POST', $3, $3, $3, 1, 200, 1, 'exact', '{"User-Id": "7"}'
      FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, n) ORDER BY n`,
    values: [ids, key, at],
  })
}

/** Holds what `sql` locks while `first` and then `second` are started and wait, directly or indirectly, for it. */
async function collide<A, B>({ db, other }: Opened, sql: string, first: () => Promise<A>, second: () => Promise<B>) {
  const [a, b] = await other.transaction(async (query) => {
    await query(sql)
    const a = first()
    await waitForBlocked(db, 1)
    const b = second()
    await waitForBlocked(db, 2)
    return [[a], [b]] as const // in arrays, so that the transaction does not wait for them
  })
  return Promise.all([...a, ...b])
}

const countDeadlocks = async (db: Database) => {
  await db.query("SELECT pg_stat_clear_snapshot()")
  const { rows } = await db.query("SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()")
  return rows[0]!["n"]
}

test("a metadata name is deactivated while a batch is written", async () => {
  const opened = await open()
  const { db, key } = opened
  await add(db, key)
  await activateName(db, NAME)
  await backfillName(db, NAME.name, () => {})
  await collide(
    opened,
    "SELECT FROM api_keys FOR UPDATE",
    () => add(db, key),
    () => deactivateName(db, NAME),
  )
  expect((await db.query("SELECT FROM llm_usage_metadata")).rowCount).toBe(0)
  expect(await countDeadlocks(db)).toBe(0)
})

test("a key is deleted by hand while a batch of it is written", async () => {
  const opened = await open()
  const { db, key } = opened
  await add(db, key)
  await activateName(db, { name: "User-Id", key })
  await backfillName(db, NAME.name, () => {})
  await collide(
    opened,
    "SELECT FROM llm_requests_metadata_keys FOR UPDATE",
    () => db.query({ text: "DELETE FROM api_keys WHERE id = $1", values: [key] }),
    () => add(db, key),
  )
  expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(2)
  expect((await db.query("SELECT FROM llm_usage_metadata_names WHERE name <> 'Client'")).rowCount).toBe(0)
  expect(await countDeadlocks(db)).toBe(0)
})

test("requests are pruned while they are priced again", async () => {
  const opened = await open()
  const { db, key } = opened
  // On the disk in the reverse order of their ids.
  const ids = Array.from({ length: 9 }, (_, i) => `0197a000-0000-7000-8000-00000000000${9 - i}`)
  await add(db, key, ids)
  const repricings = ids.map((id) => ({
    id,
    old_cost_status: "exact",
    old_total_cost: "1",
    input_cost: "1",
    output_cost: "1",
    total_cost: "2",
    cost_status: "exact",
    price: null,
    reason: "test",
  }))
  await collide(
    opened,
    "SELECT FROM llm_requests WHERE id = '0197a000-0000-7000-8000-000000000005' FOR UPDATE",
    () => prune(db, { olderThan: Date.parse("2026-03-10"), bodiesOnly: false }),
    () => applyRepricings(db, repricings),
  )
  expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(0)
  expect(await countDeadlocks(db)).toBe(0)
})

test("a name is counted for earlier requests while rollups are rebuilt", async () => {
  const opened = await open()
  const { db, key } = opened
  await add(db, key)
  await activateName(db, NAME)
  await collide(
    opened,
    "SELECT pg_advisory_xact_lock(7680, 2)",
    () => backfillName(db, NAME.name, () => {}),
    () => db.query("SELECT majordomo_count_again()"),
  )
  expect((await db.query("SELECT sum(requests)::int AS requests FROM llm_usage_metadata")).rows).toEqual([
    { requests: 1 },
  ])
  expect(await countDeadlocks(db)).toBe(0)
})

test("a transaction that a deadlock ended runs again", async () => {
  let runs = 0
  const run = async () => {
    runs++
    if (runs < 3) throw Object.assign(new Error("deadlock detected"), { code: "40P01", severity: "ERROR" })
    return "done"
  }
  expect(await retryDeadlocks(run)).toBe("done")
})
