import pg from "pg"
import { expect, onTestFinished, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { archivedUntil } from "../../src/database/archive-bound.ts"
import { addPartitions, dropPartitions } from "../../src/database/partitions.ts"
import { countPrunable, findPruneDate, prune } from "../../src/database/prune.ts"
import { uuidV7 } from "../../src/kit/uuid.ts"
import { startPartitions } from "../../src/server/partitions.ts"
import { describeDatabases } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { waitForBlocked } from "./_blocked.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"
import { countByPartition, insertOrdered, makeMonths, readAllTables } from "./_partitions.ts"
import { expectBalance, verifyDatabase } from "./_verify.ts"

const ONCE = { attempts: 1, delayMs: 0 }
const MONTHS = ["2026-01", "2026-02", "2026-03"]
const BEFORE = Date.parse("2026-03-10T00:00:00Z")
const CHOICE = { olderThan: BEFORE, bodiesOnly: false }

async function listPartitions(db: Database): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>("SELECT name FROM majordomo_partitions() ORDER BY 1")
  return rows.map(({ name }) => name)
}

async function fill(db: Database): Promise<void> {
  await makeMonths(db, MONTHS)
  await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)")
  await insertOrdered(db, "2026-01-01T00:00:00Z", 1, 500)
  await db.query(`INSERT INTO llm_request_repricings (request_id, reason, repriced_at, old_cost_status, new_cost_status)
    SELECT id, 'test', '2026-03-20', 'exact', 'exact' FROM llm_requests ORDER BY id`)
}

/** Takes away the partitions of the coming months, as if no gateway had run for long. */
async function forgetMonths(db: Database): Promise<readonly string[]> {
  const names = (await listPartitions(db)).filter((name) => /_\d{4}_\d\d$/.test(name))
  await db.query(`DROP TABLE ${names.join(", ")}`)
  return names
}

describeDatabases("partitions of llm_requests", (open) => {
  test("a request is in the partition of its month, to the millisecond; others have a place too", async () => {
    const db = await open()
    await makeMonths(db, MONTHS)
    const ledger = await openTestLedger(db, await makeDirectory())
    const border = Date.parse("2026-02-01T00:00:00Z")
    const times = [border - 1, border, border + 1, 0, Date.parse("2025-12-31T23:59:59.999Z"), Date.parse("2031-05-01")]
    for (const time of times) ledger.append(aRecord({ id: uuidV7(time) }))
    ledger.append(aRecord({ id: "ffffffff-ffff-4fff-bfff-ffffffffffff" }))
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(await countByPartition(db)).toEqual({
      llm_requests_first: 2,
      llm_requests_2026_01: 1,
      llm_requests_2026_02: 2,
      llm_requests_default: 1,
      llm_requests_unordered: 1,
    })
    await expectBalance(db)
  })

  test("an INSERT of another program needs no id", async () => {
    const db = await open()
    await db.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code)
      SELECT 'p', 'm', '/', 'POST', now(), now(), 1, 200 FROM generate_series(1, 500)`)
    expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(500)
    await expectBalance(db)
  })

  test("missing months are added, and take the requests that the default partition kept for them", async () => {
    const db = await open()
    const names = await forgetMonths(db)
    expect(names).toHaveLength(3)
    await insertOrdered(db, new Date().toISOString(), 1, 60, 24)
    const before = await readAllTables(db)
    expect((await countByPartition(db))["llm_requests_default"]).toBeGreaterThan(20)
    expect(await addPartitions(db)).toBe(3)
    expect(await listPartitions(db)).toEqual(expect.arrayContaining([...names]))
    expect(await countByPartition(db)).not.toHaveProperty("llm_requests_default")
    expect(await readAllTables(db)).toEqual(before)
    await expectBalance(db)
    expect(await addPartitions(db)).toBe(0)
  })

  test("a partition with only old requests is dropped; rows, totals and children are as after DELETE", async () => {
    const [db, twin] = [await open(), await open()]
    await fill(db)
    await fill(twin)
    await verifyDatabase(db)
    await verifyDatabase(twin)
    // One later request each keeps the partitions of the twin from being dropped, until it is deleted by hand.
    const late = `INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, outcome, usage, created_at)
      SELECT majordomo_first_id(at), 'p', 'm', '/', 'POST', at, at, 1, 200, 'gap', '{"dropped": 0}', '2026-06-01' FROM unnest(ARRAY['2026-01-05', '2026-02-05']::timestamptz[]) AS at`
    await twin.query(late)
    const steps: number[] = []
    const total = await countPrunable(db, CHOICE)
    const pruned = await prune(db, CHOICE, (done) => steps.push(done))
    expect(pruned).toEqual({ requests: total, partitions: 3 }) // the empty one of before January is the third
    expect(await prune(twin, CHOICE)).toEqual({ requests: total, partitions: 1 })
    await twin.query("DELETE FROM llm_requests WHERE created_at >= '2026-06-01'")
    expect(steps.at(-1)).toBe(total)
    expect(await readAllTables(db)).toEqual(await readAllTables(twin))
    expect(await countByPartition(db)).toEqual({ llm_requests_2026_03: 500 - total })
    await expectBalance(db)
    expect((await verifyDatabase(db, { all: true })).differences).toEqual([])
    // A partition without requests may go.
    expect((await prune(db, CHOICE)).requests).toBe(0)
    // A request of a dropped month that arrives late is stored and counted.
    await insertOrdered(db, "2026-01-02T00:00:00Z", 1000, 1001, 0)
    expect(await countByPartition(db)).toMatchObject({ llm_requests_default: 2 })
    await expectBalance(db)
    expect(await prune(db, CHOICE)).toEqual({ requests: 2, partitions: 0 })
  })

  test("what a process left between the two steps of a drop is counted and dropped by the next one", async () => {
    const db = await open()
    await fill(db)
    await db.query("SELECT majordomo_detach_partition('llm_requests_2026_01', '2026-03-10')")
    expect(await dropPartitions(db, new Date(BEFORE))).toEqual({ partitions: 2, requests: 353 })
    expect((await db.query("SELECT FROM pg_class WHERE relname LIKE 'majordomo\\_dropped%'")).rowCount).toBe(0)
  })

  test("nothing is pruned that the archive has to have first", async () => {
    const db = await open()
    await fill(db)
    expect(await archivedUntil(db)).toBeUndefined()
    await db.query("UPDATE majordomo_schema SET archive_required = true")
    // A partition without requests may go.
    expect((await prune(db, CHOICE)).requests).toBe(0)
    await db.query(`INSERT INTO llm_archive_days (day, status, place)
        SELECT day, 'verified', 'archive' FROM generate_series('2026-01-01'::date, '2026-02-10', '1 day') AS day;
      UPDATE llm_archive_days SET status = 'late' WHERE day = '2026-02-03'`)
    expect(await findPruneDate(db, CHOICE)).toEqual(new Date("2026-02-03"))
    expect(await findPruneDate(db, { ...CHOICE, bodiesOnly: true })).toEqual(new Date(BEFORE))
    expect((await prune(db, CHOICE)).partitions).toBe(1)
    const oldest = "SELECT min(created_at) AS oldest FROM llm_requests"
    expect((await db.query(oldest)).rows).toEqual([{ oldest: new Date("2026-02-03") }])
    // A day without requests needs no file.
    await db.query(
      "UPDATE llm_archive_days SET status = 'verified'; DELETE FROM llm_requests WHERE created_at::date = '2026-02-05'",
    )
    await db.query("DELETE FROM llm_archive_days WHERE day = '2026-02-05'")
    expect(await archivedUntil(db)).toEqual(new Date("2026-02-11"))
    await db.query("DELETE FROM llm_requests; UPDATE majordomo_schema SET archive_required = false")
    expect(await archivedUntil(db)).toBeUndefined()
  })
})

async function openTwo() {
  const { url } = await createTestDatabase()
  return { url, db: await connect(url), other: await connect(url) }
}

test("of two gateways that add partitions at once, one adds them", async () => {
  const { db, other } = await openTwo()
  await forgetMonths(db)
  const added = await Promise.all([addPartitions(db), addPartitions(other)])
  expect(added.sort()).toEqual([0, 3])
})

test("a gateway adds partitions while batches are written, and waits for a reader without holding others up", async () => {
  const { db, other } = await openTwo()
  await forgetMonths(db)
  await other.transaction(async (query) => {
    await query("SELECT count(*) FROM llm_requests")
    await expect(addPartitions(db, ONCE)).rejects.toMatchObject({ code: "55P03" })
    const ledger = await openTestLedger(db, await makeDirectory())
    ledger.append(aRecord())
    expect((await ledger.drain(180_000)).drained).toBe(true)
  })
  await other.transaction(async (query) => {
    await query(
      "INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, id) VALUES ('p', 'm', '/', 'POST', now(), now(), 1, 200, majordomo_first_id('2026-01-01'))",
    )
    expect(await addPartitions(db, ONCE)).toBe(3)
  })
})

test("a request that is written while its partition is made is tried again, and not rejected", async () => {
  const { db, other, url } = await openTwo()
  await forgetMonths(db)
  const third = await connect(url)
  const ledger = await openTestLedger(db, await makeDirectory())
  await other.transaction(async (query) => {
    await query("SELECT majordomo_add_partitions()")
    ledger.append(aRecord({ id: uuidV7(Date.now() + 45 * 86_400_000) }))
    await waitForBlocked(third, 1)
  })
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect(ledger.stats()).toMatchObject({ written: 1, rejected: 0 })
  expect(await countByPartition(db)).not.toHaveProperty("llm_requests_default")
})

test("a gateway says once why it cannot add partitions, and adds them when it can", async () => {
  const { db, other } = await openTwo()
  await forgetMonths(db)
  const lines: string[] = []
  const log = (level: string, line: string) => void lines.push(`${level} ${line}`)
  await other.transaction(async (query) => {
    await query("LOCK TABLE llm_requests_default IN ACCESS SHARE MODE")
    const partitions = startPartitions({ database: db, log, everyMs: 10 })
    onTestFinished(() => partitions.close())
    await expect.poll(() => lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^warn partitions: .* could not be added \(.*lock timeout\)/)
  })
  await expect.poll(() => lines.at(-1)).toBe("info partitions: added 3 for the coming months")
  expect(lines).toHaveLength(2)
})

test("a partition that a long report reads is not dropped, and its requests are deleted by the next step", async () => {
  const { db, other } = await openTwo()
  await fill(db)
  await other.transaction(async (query) => {
    await query("SELECT count(*) FROM llm_requests")
    expect(await dropPartitions(db, new Date(BEFORE), () => {}, ONCE)).toEqual({ partitions: 0, requests: 0 })
  })
  expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(500)
})

test("a request that is stored while its partition is about to be dropped is not lost", async () => {
  const { db, other, url } = await openTwo()
  await fill(db)
  const third = await connect(url)
  const dropped = await other.transaction(async (query) => {
    await query(
      "INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, id) VALUES ('p', 'm', '/', 'POST', now(), now(), 1, 200, majordomo_first_id('2026-01-20'))",
    )
    const drop = dropPartitions(db, new Date(BEFORE), () => {}, { attempts: 100, delayMs: 10 })
    await waitForBlocked(third, 1)
    return [drop] as const
  })
  expect((await dropped[0]).partitions).toBe(2)
  expect(await countByPartition(db)).toHaveProperty("llm_requests_2026_01")
})

test("while partitions are dropped, every batch is written", async () => {
  const { db, other } = await openTwo()
  await fill(db)
  const ledger = await openTestLedger(other, await makeDirectory())
  let isDone = false
  const writing = (async () => {
    let count = 0
    for (; !isDone || count < 200; count++) {
      ledger.append(aRecord())
      await new Promise((resolve) => setImmediate(resolve))
    }
    return count
  })()
  const total = await countPrunable(db, CHOICE)
  expect(await prune(db, CHOICE)).toEqual({ requests: total, partitions: 3 })
  isDone = true
  const count = await writing
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect(ledger.stats()).toMatchObject({ written: count, rejected: 0, dropped: 0 })
  expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(count + 500 - total)
  await expectBalance(db)
})

test("who holds a partition for which a batch waits is named", async () => {
  const { url, db } = await openTwo()
  const ledger = await openTestLedger(db, await makeDirectory())
  const blocker = new pg.Client({ connectionString: url, application_name: "console" })
  await blocker.connect()
  onTestFinished(() => blocker.end())
  await blocker.query("BEGIN; LOCK TABLE llm_requests_first IN EXCLUSIVE MODE")
  ledger.append(aRecord())
  await expect.poll(() => ledger.lines.join()).toContain("a lock is held by process")
  await blocker.query("ROLLBACK")
  expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
})
