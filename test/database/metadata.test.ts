import { randomUUID } from "node:crypto"
import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { activateName, deactivateName, listMetadata } from "../../src/database/metadata.ts"
import { countPrunable, prune } from "../../src/database/prune.ts"
import { startRetention } from "../../src/server/retention.ts"
import { describeDatabases } from "../support/databases.ts"
import { HANG_MS } from "../support/until.ts"

const all = async (db: Database, sql: string, values: unknown[] = []) => (await db.query({ text: sql, values })).rows

async function addKey(db: Database, name: string): Promise<string> {
  const [row] = await all(db, "INSERT INTO api_keys (key_hash, name) VALUES ($1, $1) RETURNING id", [name])
  return String(row!["id"])
}

interface Seed {
  readonly at: string
  readonly key?: string | null
  readonly user?: string
  readonly body?: string
  readonly cost?: string
}

async function add(db: Database, seeds: readonly Seed[]): Promise<void> {
  const rows = seeds.map(({ at, key = null, user, body = null, cost = "0.5" }) => ({
    id: randomUUID(),
    majordomo_api_key_id: key,
    at,
    total_cost: cost,
    raw_metadata: user === undefined ? null : { "User-Id": user, Feature: "chat" },
    request_body: body,
  }))
  await db.query({
    text: `INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
        created_at, response_time_ms, status_code, total_cost, cost_status, raw_metadata, request_body)
      SELECT id, majordomo_api_key_id, 'openai', 'm', '/', 'POST', at, at, at, 1, 200, total_cost, 'exact', raw_metadata, request_body
      FROM json_to_recordset($1::json) AS r (id uuid, majordomo_api_key_id uuid, at timestamptz, total_cost numeric, raw_metadata jsonb, request_body text)`,
    values: [JSON.stringify(rows)],
    timeoutMs: HANG_MS,
  })
}

const indexed = (db: Database) =>
  all(db, "SELECT count(*)::int AS count FROM llm_requests WHERE indexed_metadata ? 'User-Id'").then(
    ([row]) => row!["count"],
  )
const sums = (db: Database) =>
  all(
    db,
    "SELECT value, sum(requests)::int AS requests FROM llm_usage_metadata WHERE name = 'User-Id' GROUP BY 1 ORDER BY 1",
  )
const hourly = async (db: Database) =>
  all(db, "SELECT sum(requests)::int AS requests, trim_scale(sum(total_cost))::text AS cost FROM llm_usage_hourly")

describeDatabases("metadata names", (open) => {
  test("an active name is counted for all requests, past and future, also of future keys, and none is changed", async () => {
    const db = await open()
    const key = await addKey(db, "a")
    await add(db, [
      { at: "2026-03-01T10:00:00Z", key, user: "1" },
      { at: "2026-03-01T23:59:59.999Z", key, user: "2" },
      { at: "2026-03-02T00:00:00Z", user: "1" },
      { at: "2026-03-02T00:00:00Z", key },
    ])
    const before = await hourly(db)
    const steps: (readonly [number, number])[] = []
    await activateName(db, { name: "User-Id", key: undefined })
    expect(await backfillName(db, "User-Id", (done, total) => steps.push([done, total]))).toBe(3)
    expect([steps[0], steps.at(-1)]).toEqual([
      [0, 4],
      [4, 4],
    ])
    const other = await addKey(db, "b")
    await add(db, [{ at: "2026-03-02T12:00:00Z", key: other, user: "2" }])
    expect(await indexed(db)).toBe(1)
    expect(await sums(db)).toEqual([
      { value: "1", requests: 2 },
      { value: "2", requests: 2 },
    ])
    expect(before).toEqual([{ requests: 4, cost: "2" }])
    expect(await hourly(db)).toEqual([{ requests: 5, cost: "2.5" }])
    expect(await listMetadata(db, true)).toMatchObject([
      { name: "Feature", requests: 3, distinctValues: 1, active: "none", isCountedWhole: false },
      { name: "User-Id", requests: 3, distinctValues: 2, active: "all", isCountedWhole: true },
      { name: "Client", requests: 0, active: "all" },
    ])
  })

  test("activating a name again changes nothing", async () => {
    const db = await open()
    const key = await addKey(db, "a")
    await add(db, [{ at: "2026-03-01T10:00:00Z", key, user: "1" }])
    for (const expected of [1, 0]) {
      await activateName(db, { name: "User-Id", key: undefined })
      expect(await backfillName(db, "User-Id", () => {})).toBe(expected)
    }
    expect(await sums(db)).toEqual([{ value: "1", requests: 1 }])
  })

  test("a name that is active for one key is indexed for the future requests of that key only", async () => {
    const db = await open()
    const [a, b] = [await addKey(db, "a"), await addKey(db, "b")]
    const both = [
      { at: "2026-03-01T10:00:00Z", key: a, user: "1" },
      { at: "2026-03-01T10:00:00Z", key: b, user: "2" },
    ]
    await add(db, both)
    await activateName(db, { name: "User-Id", key: "a" })
    expect(await backfillName(db, "User-Id", () => {})).toBe(0)
    await add(db, both)
    expect(await indexed(db)).toBe(1)
    expect(await all(db, "SELECT summed, indexed FROM llm_usage_metadata_names WHERE name <> 'Client'")).toEqual([
      { summed: true, indexed: false },
    ])
    const names = await listMetadata(db, true)
    expect(names.find(({ name }) => name === "User-Id")).toMatchObject({ active: "some", activeKeys: ["a"] })
  })

  test("a name that is no longer active has no rollups, because they would be out of date", async () => {
    const db = await open()
    const key = await addKey(db, "a")
    await add(db, [{ at: "2026-03-01T10:00:00Z", key, user: "1" }])
    await activateName(db, { name: "User-Id", key: undefined })
    await backfillName(db, "User-Id", () => {})
    await deactivateName(db, { name: "User-Id", key: undefined })
    await add(db, [{ at: "2026-03-01T10:00:00Z", key, user: "1" }])
    expect([await sums(db), await indexed(db)]).toEqual([[], 0])
    expect(await all(db, "SELECT name FROM llm_usage_metadata_names WHERE name <> 'Client'")).toEqual([])
    await expect(deactivateName(db, { name: "User-Id", key: undefined })).rejects.toThrow("is not active")
    await expect(activateName(db, { name: "User-Id", key: "nobody" })).rejects.toThrow("no API key")
  })

  test("a backfill ends when the name is deactivated or activated again meanwhile, and leaves no totals behind", async () => {
    const db = await open()
    const key = await addKey(db, "a")
    await add(db, [
      { at: "2026-03-01T10:00:00Z", key, user: "1" },
      { at: "2026-03-02T10:00:00Z", key, user: "1" },
    ])
    for (const again of [false, true]) {
      await activateName(db, { name: "User-Id", key: undefined })
      let hasChanged = false
      const backfill = backfillName(db, "User-Id", async () => {
        if (hasChanged) return
        hasChanged = true
        await deactivateName(db, { name: "User-Id", key: undefined })
        if (again) await activateName(db, { name: "User-Id", key: undefined })
      })
      await expect(backfill).rejects.toThrow('"User-Id" was activated or deactivated by another command meanwhile')
      expect(await sums(db)).toEqual([])
      expect(await all(db, "SELECT summed, indexed FROM llm_usage_metadata_names WHERE name <> 'Client'")).toEqual(
        again ? [{ summed: false, indexed: false }] : [],
      )
    }
    await backfillName(db, "User-Id", () => {})
    expect(await sums(db)).toEqual([{ value: "1", requests: 2 }])
  })

  test("a day counts its 10,000 most used values by name, and all further ones together", async () => {
    const db = await open()
    const key = await addKey(db, "a")
    const at = "2026-03-01T10:00:00Z"
    await add(
      db,
      Array.from({ length: 10_500 }, (_, i) => ({ at, key, user: `u${i}` })),
    )
    await add(db, [{ at, key, user: "u10499" }])
    await activateName(db, { name: "User-Id", key: undefined })
    await backfillName(db, "User-Id", () => {})
    const rows = await sums(db)
    expect(rows).toHaveLength(10_001)
    expect(rows.filter(({ value }) => value === "(other)" || value === "u10499")).toEqual([
      { value: "(other)", requests: 500 },
      { value: "u10499", requests: 2 },
    ])
  })
})

describeDatabases("pruning", (open) => {
  const old = Date.parse("2026-03-02T15:00:00Z")
  const fill = async (db: Database) => {
    const key = await addKey(db, "a")
    await add(db, [
      ...Array.from({ length: 50 }, (_, i) => ({
        at: `2026-02-${String(1 + (i % 20)).padStart(2, "0")}T10:00:00Z`,
        key,
        body: "{}",
      })),
      { at: "2026-03-01T23:59:59.999Z", key },
      { at: "2026-03-02T00:00:00Z", key, body: "{}" },
    ])
  }

  test("deletes the requests from before a midnight of UTC, and keeps their rollups", async () => {
    const db = await open()
    await fill(db)
    const before = await hourly(db)
    const choice = { olderThan: old, bodiesOnly: false }
    expect(await countPrunable(db, choice)).toBe(51)
    const steps: number[] = []
    expect((await prune(db, choice, (done) => steps.push(done))).requests).toBe(51)
    expect(steps.at(-1)).toBe(51)
    expect(await all(db, "SELECT count(*)::int AS count FROM llm_requests")).toEqual([{ count: 1 }])
    expect(await hourly(db)).toEqual(before)
    await db.query("SELECT majordomo_count_again()")
    expect(await hourly(db)).toEqual(before)
    expect((await prune(db, choice)).requests).toBe(0)
  })

  test("deletes only the bodies if that is asked", async () => {
    const db = await open()
    await fill(db)
    expect((await prune(db, { olderThan: old, bodiesOnly: true })).requests).toBe(50)
    expect(await all(db, "SELECT count(*)::int AS rows, count(request_body)::int AS bodies FROM llm_requests")).toEqual(
      [{ rows: 52, bodies: 1 }],
    )
    expect(await all(db, "SELECT pruned_before FROM majordomo_schema")).toEqual([{ pruned_before: null }])
  })

  test("a gateway with a retention prunes by itself, and logs what it cannot delete", async () => {
    const db = await open()
    await fill(db)
    await db.query("UPDATE llm_requests SET s3_key = 'bodies/' || id WHERE request_body IS NOT NULL")
    let resolve: (line: string) => void = () => {}
    const said = new Promise<string>((done) => {
      resolve = done
    })
    const log = (_: string, line: string) => resolve(line)
    const job = startRetention({ database: db, retentionMs: 86_400_000, now: () => old + 86_400_000, log, firstMs: 1 })
    expect(await said).toBe(
      "retention: deleted 51 requests from before 2026-03-02; the totals of reports stay. The bodies of 50 of them stay in S3: add a lifecycle rule to the bucket to delete them",
    )
    await job.close()
  })
})
